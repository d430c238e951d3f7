//! The client in Python, against a broker of a few lines that tells the truth or a lie: what it sends passes the checks
//! that broker and adapters make, and it calls no answer complete that is not. The real broker is asked elsewhere.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use serde_json::Value;
use severn_trust::ALL_DATASETS;
use std::path::Path;
use tests::clients::{Printed, output};

/// What the client prints for a case, with further arguments.
async fn ask(case: &str, more: &[&str]) -> (Printed, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join(".tools/venv/bin/python");
    assert!(python.exists(), "{} is missing; run tests/run --install", python.display());
    let command = [python, folder.join("clients/python/retrieve.py")].map(|path| path.to_str().unwrap().to_owned());
    let more = more.iter().map(|argument| (*argument).to_owned());
    let printed = output(&command.into_iter().chain(more).collect::<Vec<_>>(), case).await.unwrap();
    let json = serde_json::from_str(&printed.out).unwrap_or_default();
    (printed, json)
}

#[tokio::test]
async fn a_true_answer_is_complete() {
    let (printed, json) = ask("entries", &[]).await;
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert_eq!(
        (&json["complete"], json["headings"].as_array().map(Vec::len)),
        (&true.into(), Some(ALL_DATASETS.len()))
    );
    let text = &json["headings"][1]["items"][0]["contributions"][0]["entry"]["head"]["text"];
    assert_eq!(text, "Penicillin");
}

#[tokio::test]
async fn every_lie_makes_the_answer_incomplete() {
    for (lie, fault) in [
        ("no-seal", "the stream is not"),
        ("wrong-order", "the stream is not"),
        ("two-seals", "the stream is not"),
        ("cut-stream", "broke off: UNAVAILABLE"),
        ("text-changed", "the digest"),
        ("section-lost", "other sections"),
        ("entry-lost", "other entries"),
        ("row-lost-and-sealed", "not every source"),
        ("another-query-sealed", "another query"),
        ("another-persons-record", "another person"),
        ("counts-changed", "disagree on received"),
    ] {
        let (printed, json) = ask(lie, &[]).await;
        assert_eq!(printed.code, Some(1), "{lie}: {}", printed.err);
        assert_eq!(json["complete"], Value::Bool(false), "{lie}");
        assert!(json["faults"].to_string().contains(fault), "{lie}: {}", json["faults"]);
    }
}

#[tokio::test]
async fn what_is_refused_is_said_in_words() {
    for (more, said) in [
        (&["--purpose", "research"][..], "UNAUTHENTICATED: the request proof names an unknown"),
        (&["--purpose", "emergency"], "UNAUTHENTICATED: "),
        (&["--datasets", "everything"], "UNAUTHENTICATED: the request proof names an unknown"),
        (&["--datasets", "allergies"], "INVALID_ARGUMENT: ask for all headings"),
    ] {
        let (printed, _) = ask("entries", more).await;
        let printed_all = format!("{}{}", printed.out, printed.err);
        assert!(printed.code != Some(0) && printed_all.contains(said), "{more:?}: {printed_all}");
        assert!(!printed_all.contains("Traceback"), "{more:?}: {printed_all}");
    }
}

#[test]
fn the_words_for_datasets_are_those_of_the_enum_so_that_any_language_can_make_them() {
    for dataset in ALL_DATASETS {
        let from_name = dataset.as_str_name().trim_start_matches("DATASET_").to_lowercase();
        assert_eq!(severn_trust::dataset_word(dataset), from_name);
    }
}
