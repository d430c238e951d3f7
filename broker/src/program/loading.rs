//! `severn-broker index load` and `index supersede`: brings what stands in a file into the index, by the same events as
//! if sources or the national service had told of it. What is refused is said by its line, without repeating it.
//!
//! **Invariant:** lines are taken in batches, each whole or not at all; what was taken before is no news, so that a load
//! that was cut off is run again.

use super::{
    ConfigArgument, complain,
    index::open_index,
    linking::{hide, show_line},
    say,
};
use crate::{
    config::Config,
    index::{Index, LoadedLine, Refusal},
};
use anyhow::{Context as _, Result, bail};
use severn_linkage::{
    identity::Sex,
    offline::{Row, read_rows, read_superseded},
};
use severn_proto::v1::{
    Address, Demographics, HumanName, LocalId, Registration, Sex as WireSex, Telecom, telecom::System,
};
use severn_trust::{NhsNumber, sha256};
use std::{collections::HashSet, fs::File, path::PathBuf};

/// Lines made durable together.
const LINES_MAX: usize = 2_000;

/// Refused lines that are named, at most; all are counted.
const NAMED_MAX: usize = 100;

#[derive(clap::Args)]
pub(super) struct LoadArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The registrations, one a line, CSV with a header: the columns of `index link`.
    #[arg(long = "in")]
    file: PathBuf,
    /// The source of the lines that name none in a column `source`.
    #[arg(long)]
    source: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct SupersedeArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The numbers, one pair a line, CSV with a header: old, current.
    #[arg(long = "in")]
    file: PathBuf,
    /// Who says so, for the history.
    #[arg(long)]
    by: String,
    /// Why, for the history: 10 characters or more.
    #[arg(long, default_value = "NHS number superseded")]
    reason: String,
}

impl LoadArguments {
    pub(super) fn config(&self) -> &ConfigArgument {
        &self.config
    }
}

impl SupersedeArguments {
    pub(super) fn config(&self) -> &ConfigArgument {
        &self.config
    }
}

#[derive(Default)]
struct Loading {
    waiting: Vec<LoadedLine>,
    seen: HashSet<[u8; 16]>,
    read: usize,
    news: usize,
    refused: usize,
}

pub(super) async fn load_people(config: &Config, arguments: &LoadArguments) -> Result<()> {
    let named = || arguments.file.display().to_string();
    let rows = read_rows(File::open(&arguments.file).with_context(named)?).with_context(named)?;
    let index = open_index(config).await?;
    let mut loading = Loading::default();
    for row in rows {
        let row = row.with_context(named)?;
        let source = if row.source.is_empty() { arguments.source.as_deref() } else { Some(&*row.source) };
        let Some(source) = source else {
            bail!("{} line {}: no source; name one with --source, or in a column `source`", named(), row.line);
        };
        loading.take(&row, source);
        if loading.waiting.len() == LINES_MAX {
            loading.store(&index).await?;
        }
    }
    loading.store(&index).await?;
    index.close().await;
    hide();
    let Loading { read, news, refused, .. } = loading;
    say(&format!("{}: {read} lines read, {news} registrations new or changed, {refused} lines refused", named()));
    Ok(())
}

impl Loading {
    fn take(&mut self, row: &Row, source: &str) {
        self.read += 1;
        let mut key = [0; 16];
        key.copy_from_slice(&sha256(&[source.as_bytes(), &[0], row.local_id.as_bytes()])[..16]);
        if !self.seen.insert(key) {
            self.refuse(row.line, "stands twice in the file: its source and local id do; leave one out");
            return;
        }
        self.waiting.push(LoadedLine { line: row.line, registration: registration(row, source) });
    }

    fn refuse(&mut self, line: u64, why: &str) {
        self.refused += 1;
        if self.refused <= NAMED_MAX {
            hide();
            complain(&format!("line {line}: {why}"));
        }
    }

    async fn store(&mut self, index: &Index) -> Result<()> {
        let (news, refusals) = index.load(std::mem::take(&mut self.waiting)).await?;
        self.news += news;
        for Refusal { cursor, field, message } in refusals {
            self.refuse(cursor, &format!("{field}: {message}"));
        }
        show_line(&format!("{} lines taken", self.read));
        Ok(())
    }
}

/// What a source would announce of a line.
fn registration(row: &Row, source: &str) -> Registration {
    // Where only the middle name is known it stays the second.
    let mut given = vec![row.given.clone(), row.middle.clone()];
    given.truncate(given.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
    let names = (!row.family.is_empty() || !given.is_empty()).then(|| HumanName {
        family: row.family.clone(),
        given,
        ..HumanName::default()
    });
    let lines: Vec<String> = (!row.line1.is_empty()).then(|| row.line1.clone()).into_iter().collect();
    let address = (!lines.is_empty() || !row.postcode.is_empty()).then(|| Address {
        lines,
        postcode: row.postcode.clone(),
        ..Address::default()
    });
    let telecom = |value: &String, system: System| {
        let telecom = || Telecom { value: value.clone(), system: system.into(), ..Telecom::default() };
        (!value.is_empty()).then(telecom)
    };
    let demographics = Demographics {
        nhs_number: row.nhs_number.clone(),
        nhs_number_verified: row.nhs_number_verified,
        names: names.into_iter().collect(),
        birth_date: iso_date(&row.birth_date),
        sex: sex(row.sex).into(),
        addresses: address.into_iter().collect(),
        telecoms: telecom(&row.phone, System::Phone).into_iter().chain(telecom(&row.email, System::Email)).collect(),
        deceased: !row.death_date.is_empty(),
        death_date: iso_date(&row.death_date),
        ..Demographics::default()
    };
    Registration {
        source_id: source.to_owned(),
        local_id: Some(LocalId { value: row.local_id.clone(), ..LocalId::default() }),
        demographics: Some(demographics),
        ..Registration::default()
    }
}

/// `DD/MM/YYYY` and `YYYYMMDD` in ISO 8601; anything else as it is, for the index to say what is wrong with it.
fn iso_date(text: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split('/').collect::<Vec<_>>()[..] {
        [day, month, year] if [day, month, year].into_iter().all(digits) && year.len() == 4 => {
            format!("{year}-{month:0>2}-{day:0>2}")
        }
        [all] if all.len() == 8 && digits(all) => format!("{}-{}-{}", &all[..4], &all[4..6], &all[6..]),
        _ => text.to_owned(),
    }
}

fn sex(sex: Sex) -> WireSex {
    match sex {
        Sex::Unknown => WireSex::Unspecified,
        Sex::Female => WireSex::Female,
        Sex::Male => WireSex::Male,
        Sex::Other => WireSex::Other,
    }
}

pub(super) async fn supersede(config: &Config, arguments: &SupersedeArguments) -> Result<()> {
    let named = || arguments.file.display().to_string();
    let input = File::open(&arguments.file).with_context(named)?;
    let index = open_index(config).await?;
    let read = read_superseded(input, &mut index.superseded()?, |text| NhsNumber::parse(text).ok());
    let read = read.with_context(named)?;
    for refused in read.refused.iter().take(NAMED_MAX) {
        complain(&format!("line {}: {}", refused.line, refused.why));
    }
    let news = index.supersede(read.news, &arguments.by, &arguments.reason).await?;
    index.close().await;
    let (known, refused) = (read.known, read.refused.len());
    say(&format!("{}: {news} numbers superseded, {known} known before, {refused} lines refused", named()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_extracts_write_them() {
        for (text, iso) in [
            ("1958-03-14", "1958-03-14"),
            ("14/03/1958", "1958-03-14"),
            ("4/3/1958", "1958-03-04"),
            ("19580314", "1958-03-14"),
            ("1958", "1958"),
            ("", ""),
            ("14/03/58", "14/03/58"),
            ("x/y/1958", "x/y/1958"),
        ] {
            assert_eq!(iso_date(text), iso);
        }
    }
}
