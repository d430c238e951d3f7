//! What both sides of a query check for themselves: who asks (`token`), that the asking app really asked this
//! (`proof`), what a reader says back (`challenge`), what the broker says of the call (`statement`), and a trail that shows
//! tampering (`trail`). A fully compromised broker must gain nothing from any of it.
//!
//! **Invariant:** nothing here reads the time, draws a random number or opens a file by itself: [`Clock`],
//! [`Entropy`] and [`Disk`] are passed in, so that a whole federation runs in simulation.

mod challenge;
mod clock;
mod commitment;
mod digest;
mod disk;
mod heading;
mod issuers;
mod keys;
mod merkle;
mod moment;
mod nhs_number;
mod obligations;
mod possession;
mod proof;
mod statement;
mod throttle;
mod token;
mod trail;
mod witness;
mod words;

pub use challenge::{
    CHALLENGE_BYTES_MAX, ChallengeError, NOTE_BYTES_MAX, challenge_kind_from_word, challenge_kind_word,
    challenge_state_from_word, challenge_state_word, check_note, read_challenge,
};
pub use clock::{Clock, Entropy, SystemClock, SystemEntropy, new_uuid};
pub use commitment::{Commitments, PersonKeys, SALT_BYTES};
pub use digest::{Digest, RecordDigest, hex, sha256, unhex};
pub use disk::{Append, Disk, MemoryDisk, SystemDisk, write_whole};
pub use heading::{gravity, is_whole, why_empty};
pub use issuers::{IssuerKeys, IssuerSettings, KeysError};
pub use keys::{JWS_BYTES_MAX, KeyError, PublicKey, SigningKey};
pub use merkle::{MerkleEdge, MerkleLog, MerkleTree, Missing, TILE_LEAVES, Tiles, is_consistent};
pub use moment::moment_ms;
pub use nhs_number::{NhsNumber, NhsNumberError};
pub use obligations::Obligations;
pub use possession::{Possession, PossessionError, prove_possession, verify_possession};
pub use proof::{Proof, ProofError, Replays};
pub use statement::{StatementError, sign_statements, verify_statement};
pub use throttle::{RecordLimits, Retrievals, Throttle};
pub use token::{Confirmation, Issuer, TOKEN_LIFE_MAX_S, TokenError, TokenVerifier, User, UserClaims};
pub use trail::{
    Checkpoint, Details, ExportError, Extract, NotShown, Observer, Released, Removed, Shown, Trail, TrailError,
    TrailEvent, TrailSettings, TrailSettingsError, VerifyReport, Witnessed, archive_trail, audit_event, export_trail,
    extract_releases, scan_trail, verify_trail, verify_witnessed,
};
pub use witness::{Cosigned, read_trail_key, sign_trail_key};
pub use words::{
    ALL_DATASETS, dataset_from_word, dataset_word, is_crisis_dataset, label_from_word, label_word,
    obligation_from_word, obligation_word, outcome_word, purpose_from_word, purpose_word, reason_word,
};

/// Seconds by which two clocks of the federation may differ before a message is refused.
pub const SKEW_MAX_S: i64 = 30;
