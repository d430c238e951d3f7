//! An event and a feed's position as rows, the same in every store and in an archive. The SQL here is read by SQLite
//! and by PostgreSQL alike: text, bigint and bytes, keys given by the client, no triggers.

use super::StoreError;
use crate::{
    facts::Change,
    index::{
        event::{About, Decision, Event, FeedPosition, RegistrationKey, Undone, What},
        scoring::ScoringModel,
    },
    model::{EnterpriseId, LocalId, SourceId},
};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use severn_trust::{NhsNumber, hex, unhex};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use uuid::Uuid;

/// The form of what is stored. A store of another version is refused.
pub const SCHEMA_VERSION: i64 = 2;

pub const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS index_events (
        sequence BIGINT NOT NULL PRIMARY KEY,
        at_ms BIGINT NOT NULL,
        kind TEXT NOT NULL,
        source_id TEXT,
        local_id TEXT,
        body BYTEA,
        enterprise_id TEXT,
        other_source_id TEXT,
        other_local_id TEXT,
        undone TEXT,
        decided_by TEXT,
        reason TEXT,
        idempotency_key TEXT,
        nhs_number TEXT,
        superseded_by TEXT,
        until_ms BIGINT,
        decided BIGINT
    )",
    "CREATE TABLE IF NOT EXISTS index_feeds (
        source_id TEXT NOT NULL PRIMARY KEY,
        epoch TEXT NOT NULL,
        feed_cursor BIGINT NOT NULL,
        heard_at_ms BIGINT NOT NULL,
        batch BIGINT NOT NULL
    )",
    // One row: how far the store is, and which history it holds.
    "CREATE TABLE IF NOT EXISTS index_head (
        one BIGINT NOT NULL PRIMARY KEY,
        schema_version BIGINT NOT NULL,
        history TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        batch BIGINT NOT NULL
    )",
];

pub const FIRST_HEAD: &str = "INSERT INTO index_head (one, schema_version, history, sequence, batch) \
    VALUES (1, $1, $2, 0, 0) ON CONFLICT (one) DO NOTHING";

pub const HEAD: &str = "SELECT schema_version, history, sequence, batch FROM index_head";

pub const EVENTS_AFTER: &str = "SELECT * FROM index_events WHERE sequence > $1 ORDER BY sequence";

/// One event.
pub const EVENT: &str = "SELECT * FROM index_events WHERE sequence = $1";

pub const FEEDS_AFTER: &str = "SELECT * FROM index_feeds WHERE batch > $1 ORDER BY source_id";

pub const UPSERT_FEED: &str = "INSERT INTO index_feeds (source_id, epoch, feed_cursor, heard_at_ms, batch) \
    VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (source_id) DO UPDATE SET epoch = excluded.epoch, feed_cursor = excluded.feed_cursor, \
    heard_at_ms = excluded.heard_at_ms, batch = excluded.batch";

/// The head of a store.
pub struct Head {
    pub schema_version: i64,
    pub history: String,
    pub sequence: i64,
    pub batch: i64,
}

impl Head {
    pub fn mark(&self) -> super::Mark {
        super::Mark { sequence: self.sequence.cast_unsigned(), batch: self.batch.cast_unsigned() }
    }

    pub fn check_version(&self) -> Result<(), StoreError> {
        let found = self.schema_version;
        match found == SCHEMA_VERSION {
            true => Ok(()),
            false => Err(StoreError::Refused(format!(
                "it has the form {found} and this broker reads form {SCHEMA_VERSION}; export it with the broker that \
                 wrote it, and import that into a new folder or database"
            ))),
        }
    }
}

/// An event, one field for each column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRow {
    pub sequence: i64,
    pub at_ms: i64,
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_id: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "to_hex",
        deserialize_with = "from_hex"
    )]
    pub body: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_source_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_local_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<i64>,
}

/// A feed's position, one field for each column but the batch that moved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedRow {
    pub source_id: String,
    pub epoch: String,
    pub feed_cursor: i64,
    pub heard_at_ms: i64,
}

impl From<&Event> for EventRow {
    fn from(event: &Event) -> EventRow {
        let mut row = EventRow {
            sequence: event.sequence.cast_signed(),
            at_ms: event.at_ms,
            kind: event.about.kind().to_owned(),
            ..EventRow::default()
        };
        match &event.about {
            About::Registration(registration, what) => row.set_registration(registration, what),
            About::Superseded { number, by, decision } => {
                row.nhs_number = Some(number.digits());
                row.superseded_by = Some(by.digits());
                row.set_decision(decision);
            }
            About::ModelTaken(model) => row.body = Some(model.file().to_vec()),
            About::FactsChanged(change) => {
                // It is written without fail; if not, it is refused when it is read.
                row.body = Some(serde_json::to_vec(change).unwrap_or_default());
                row.idempotency_key = Some(change.key.to_string());
            }
        }
        row
    }
}

impl EventRow {
    fn set_registration(&mut self, registration: &RegistrationKey, what: &What) {
        self.source_id = Some(registration.source.to_string());
        self.local_id = Some(registration.local_id.0.to_string());
        match what {
            What::Registered { body, person } | What::Changed { body, person } => {
                self.body = Some(body.to_vec());
                self.enterprise_id = Some(person.to_string());
            }
            What::Withdrawn => {}
            What::Linked { with, decision } | What::ToldApart { with, decision } => {
                self.set_other(with);
                self.set_decision(decision);
            }
            What::Unlinked { undone, decision } => {
                self.undone = Some(undone_word(*undone).to_owned());
                self.set_decision(decision);
            }
            What::DoNotLink { with } => self.set_other(with),
            What::Postponed { with, until_ms, decision } => {
                self.set_other(with);
                self.until_ms = Some(*until_ms);
                self.set_decision(decision);
            }
            What::TakenBack { decided, decision } => {
                self.decided = Some(decided.cast_signed());
                self.set_decision(decision);
            }
        }
    }

    fn set_other(&mut self, with: &RegistrationKey) {
        self.other_source_id = Some(with.source.to_string());
        self.other_local_id = Some(with.local_id.0.to_string());
    }

    fn set_decision(&mut self, decision: &Decision) {
        self.decided_by = Some(decision.by.clone());
        self.reason = Some(decision.reason.clone());
        self.idempotency_key = Some(decision.idempotency_key.to_string());
    }
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(mut row: EventRow) -> Result<Event, StoreError> {
        let about = match row.kind.as_str() {
            "superseded" => About::Superseded {
                number: row.number(row.nhs_number.as_ref(), "nhs_number")?,
                by: row.number(row.superseded_by.as_ref(), "superseded_by")?,
                decision: row.decision()?,
            },
            "model-taken" => About::ModelTaken(row.model()?),
            "directive-entered" | "directive-withdrawn" | "relationship-claimed" | "override-opened" | "reviewed" => {
                About::FactsChanged(Box::new(row.change()?))
            }
            _ => About::Registration(row.registration()?, row.what()?),
        };
        Ok(Event { sequence: row.sequence.cast_unsigned(), at_ms: row.at_ms, about })
    }
}

impl EventRow {
    fn what(&mut self) -> Result<What, StoreError> {
        Ok(match self.kind.as_str() {
            "registered" => What::Registered { body: self.body()?, person: self.person()? },
            "changed" => What::Changed { body: self.body()?, person: self.person()? },
            "withdrawn" => What::Withdrawn,
            "linked" => What::Linked { with: self.other()?, decision: self.decision()? },
            "unlinked" => What::Unlinked { undone: self.undone()?, decision: self.decision()? },
            "do-not-link" => What::DoNotLink { with: self.other()? },
            "told-apart" => What::ToldApart { with: self.other()?, decision: self.decision()? },
            "postponed" => What::Postponed {
                with: self.other()?,
                until_ms: self.present(self.until_ms, "until_ms")?,
                decision: self.decision()?,
            },
            "taken-back" => What::TakenBack {
                decided: self.present(self.decided, "decided")?.cast_unsigned(),
                decision: self.decision()?,
            },
            _ => return Err(self.damaged("is of a kind that this version does not know")),
        })
    }

    fn registration(&self) -> Result<RegistrationKey, StoreError> {
        let source = self.present(self.source_id.as_ref(), "source_id")?;
        Ok(key(source, self.present(self.local_id.as_ref(), "local_id")?))
    }

    fn number(&self, value: Option<&String>, column: &str) -> Result<NhsNumber, StoreError> {
        let text = self.present(value, column)?;
        NhsNumber::parse(text).map_err(|_| self.damaged(&format!("has a {column} that is no NHS number")))
    }

    fn model(&mut self) -> Result<ScoringModel, StoreError> {
        let file = self.body()?;
        ScoringModel::read(file).map_err(|error| self.damaged(&format!("cannot be followed: {error}")))
    }

    fn change(&mut self) -> Result<Change, StoreError> {
        let body = self.body()?;
        let change: Change =
            serde_json::from_slice(&body).map_err(|_| self.damaged("has a body that cannot be read"))?;
        match change.kind.word() == self.kind {
            true => Ok(change),
            false => Err(self.damaged("has the body of another kind")),
        }
    }

    fn damaged(&self, how: &str) -> StoreError {
        StoreError::Damaged(format!("event {} {how}", self.sequence))
    }

    fn present<T>(&self, value: Option<T>, column: &str) -> Result<T, StoreError> {
        value.ok_or_else(|| self.damaged(&format!("has no {column}")))
    }

    fn uuid(&self, value: Option<&String>, column: &str) -> Result<Uuid, StoreError> {
        let text = self.present(value, column)?;
        text.parse().map_err(|_| self.damaged(&format!("has a {column} that is no UUID")))
    }

    fn body(&mut self) -> Result<Bytes, StoreError> {
        let body = self.body.take();
        self.present(body, "body").map(Bytes::from)
    }

    fn person(&self) -> Result<EnterpriseId, StoreError> {
        self.uuid(self.enterprise_id.as_ref(), "enterprise_id").map(EnterpriseId)
    }

    fn other(&self) -> Result<RegistrationKey, StoreError> {
        let source = self.present(self.other_source_id.as_ref(), "other_source_id")?;
        Ok(key(source, self.present(self.other_local_id.as_ref(), "other_local_id")?))
    }

    fn undone(&self) -> Result<Undone, StoreError> {
        match self.undone.as_deref() {
            Some("link") => Ok(Undone::Link),
            Some("rule") => Ok(Undone::Rule),
            _ => Err(self.damaged("undoes what this version does not know")),
        }
    }

    fn decision(&mut self) -> Result<Decision, StoreError> {
        let idempotency_key = self.uuid(self.idempotency_key.as_ref(), "idempotency_key")?;
        let (by, reason) = (self.decided_by.take(), self.reason.take());
        Ok(Decision { by: self.present(by, "decided_by")?, reason: self.present(reason, "reason")?, idempotency_key })
    }
}

impl From<&FeedPosition> for FeedRow {
    fn from(feed: &FeedPosition) -> FeedRow {
        FeedRow {
            source_id: feed.source.to_string(),
            epoch: feed.epoch.to_string(),
            feed_cursor: feed.cursor.cast_signed(),
            heard_at_ms: feed.heard_at_ms,
        }
    }
}

impl TryFrom<FeedRow> for FeedPosition {
    type Error = StoreError;

    fn try_from(row: FeedRow) -> Result<FeedPosition, StoreError> {
        let epoch = row.epoch.parse();
        Ok(FeedPosition {
            epoch: epoch.map_err(|_| StoreError::Damaged(format!("the feed of {} has no epoch", row.source_id)))?,
            source: SourceId(row.source_id.into()),
            cursor: row.feed_cursor.cast_unsigned(),
            heard_at_ms: row.heard_at_ms,
        })
    }
}

fn undone_word(undone: Undone) -> &'static str {
    match undone {
        Undone::Link => "link",
        Undone::Rule => "rule",
    }
}

fn key(source: &str, local_id: &str) -> RegistrationKey {
    RegistrationKey { source: SourceId(source.into()), local_id: LocalId(local_id.into()) }
}

impl<'r, R> FromRow<'r, R> for EventRow
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<EventRow, sqlx::Error> {
        Ok(EventRow {
            sequence: row.try_get("sequence")?,
            at_ms: row.try_get("at_ms")?,
            kind: row.try_get("kind")?,
            source_id: row.try_get("source_id")?,
            local_id: row.try_get("local_id")?,
            body: row.try_get("body")?,
            enterprise_id: row.try_get("enterprise_id")?,
            other_source_id: row.try_get("other_source_id")?,
            other_local_id: row.try_get("other_local_id")?,
            undone: row.try_get("undone")?,
            decided_by: row.try_get("decided_by")?,
            reason: row.try_get("reason")?,
            idempotency_key: row.try_get("idempotency_key")?,
            nhs_number: row.try_get("nhs_number")?,
            superseded_by: row.try_get("superseded_by")?,
            until_ms: row.try_get("until_ms")?,
            decided: row.try_get("decided")?,
        })
    }
}

impl<'r, R> FromRow<'r, R> for FeedRow
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<FeedRow, sqlx::Error> {
        Ok(FeedRow {
            source_id: row.try_get("source_id")?,
            epoch: row.try_get("epoch")?,
            feed_cursor: row.try_get("feed_cursor")?,
            heard_at_ms: row.try_get("heard_at_ms")?,
        })
    }
}

impl<'r, R> FromRow<'r, R> for Head
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Head, sqlx::Error> {
        Ok(Head {
            schema_version: row.try_get("schema_version")?,
            history: row.try_get("history")?,
            sequence: row.try_get("sequence")?,
            batch: row.try_get("batch")?,
        })
    }
}

/// Bytes as text in an archive.
fn to_hex<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex(bytes.as_deref().unwrap_or_default()))
}

fn from_hex<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    let bytes = unhex(&String::deserialize(from)?);
    bytes.map(Some).ok_or_else(|| D::Error::custom("not hexadecimal"))
}
