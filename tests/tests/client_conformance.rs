//! Clients that show a record as it must be shown pass every check; a client that leaves one thing out, or believes one
//! thing too much, fails by the name of the check that is meant.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use std::{fs, path::Path};
use tests::clients::check;

/// One thing that is edited in a copy of the Python client: what it is, the edits, the case, and what then fails.
struct Mutant {
    name: &'static str,
    edits: &'static [(&'static str, &'static str)],
    case: &'static str,
    fails: &'static [&'static str],
}

const SHOWN: &str = "shown = plain(item)\n";

const MUTANTS: [Mutant; 24] = [
    Mutant {
        name: "drops the sentence on what is missing",
        edits: &[("        \"summary\": ledger.summary,\n", "")],
        case: "no-answer",
        fails: &["the sentence on what is missing"],
    },
    Mutant {
        name: "drops what is known of headings",
        edits: &[("plain(heading) | {", "plain(type(heading)(dataset=heading.dataset)) | {")],
        case: "nothing-recorded",
        fails: &["says that nothing is recorded"],
    },
    Mutant {
        name: "drops what became of the sources",
        edits: &[(", \"sources\": rows", "")],
        case: "no-answer",
        fails: &["names who is silent, and on allergies", "names who is silent, and on medicines"],
    },
    Mutant {
        name: "takes silence for none",
        edits: &[("\"items\": shown,", "\"items\": shown or \"none known\",")],
        case: "no-answer",
        fails: &["does not say none"],
    },
    Mutant {
        name: "shows sources that have entries only",
        edits: &[("if row.dataset == heading.dataset]", "if row.dataset == heading.dataset and row.shown]")],
        case: "withheld",
        fails: &["says who withholds, and what"],
    },
    Mutant {
        name: "drops where sources differ",
        edits: &[("for discrepancy in ledger.discrepancies]", "for discrepancy in ()]")],
        case: "who-this-is",
        fails: &["shows where the sources differ"],
    },
    Mutant {
        name: "drops conflicts",
        edits: &[(SHOWN, "shown = plain(item)\n    shown.pop(\"conflicts\")\n")],
        case: "none-known-beside-an-entry",
        fails: &["shows the conflict", "shows it first"],
    },
    Mutant {
        name: "settles a conflict",
        edits: &[("items.get(heading.dataset, [])]", "items.get(heading.dataset, [])[:1]]")],
        case: "none-known-beside-an-entry",
        fails: &["shows both sides"],
    },
    Mutant {
        name: "drops doses that differ",
        edits: &[("items.get(heading.dataset, [])]", "items.get(heading.dataset, [])[:1]]")],
        case: "two-doses",
        fails: &["shows the other dose"],
    },
    Mutant {
        name: "drops what is withdrawn",
        edits: &[(SHOWN, "shown = plain(item)\n    shown.pop(\"retracted\")\n")],
        case: "withdrawn",
        fails: &["does not read as in force"],
    },
    Mutant {
        name: "drops what is possibly the same",
        edits: &[(SHOWN, "shown = plain(item)\n    shown.pop(\"possibly_same\")\n")],
        case: "possibly-the-same",
        fails: &["says so"],
    },
    Mutant {
        name: "drops the status",
        edits: &[("[\"body\"] = plain", "[\"body\"] = contribution[\"entry\"][\"head\"].pop(\"status\") and plain")],
        case: "unknown-status",
        fails: &["shows the source's word, as not recognised"],
    },
    Mutant {
        name: "drops what was ruled out",
        edits: &[("[\"body\"] = plain", "[\"body\"] = contribution[\"entry\"][\"head\"].pop(\"assertion\") and plain")],
        case: "ruled-out",
        fails: &["does not read as a finding"],
    },
    Mutant {
        name: "drops that something is not validated",
        edits: &[(
            "[\"body\"] = plain",
            "[\"body\"] = contribution[\"entry\"][\"head\"].pop(\"not_validated\") and plain",
        )],
        case: "not-validated",
        fails: &["says so"],
    },
    Mutant {
        name: "drops who said it",
        edits: &[
            ("[\"body\"] = plain", "[\"body\"] = contribution[\"entry\"][\"head\"].pop(\"provenance\") and plain"),
            (", \"sources\": rows", ""),
        ],
        case: "entries",
        fails: &["shows an entry with who said it"],
    },
    Mutant {
        name: "sorts headings by a rule of its own",
        edits: &[("for heading in ledger.headings]", "for heading in reversed(ledger.headings)]")],
        case: "entries",
        fails: &["shows what matters most first"],
    },
    Mutant {
        name: "shows raw text",
        edits: &[("indent=2)", "indent=2, ensure_ascii=False)")],
        case: "deceptive-text",
        fails: &["marks what was replaced", "nothing can deceive"],
    },
    Mutant {
        name: "shows any number of marks",
        edits: &[("indent=2)", "indent=2, ensure_ascii=False)")],
        case: "flood-of-marks",
        fails: &["nothing can deceive"],
    },
    Mutant {
        name: "does not compute the digest",
        edits: &[("if seal.digest != record_digest(sections, ledger):", "if not seal.digest:")],
        case: "text-changed",
        fails: NOT_NOTICED,
    },
    Mutant {
        name: "ignores the seal",
        edits: &[
            ("!= [\"ledger\", \"seal\"] or", "not in ([\"ledger\", \"seal\"], [\"section\", \"ledger\"]) or"),
            ("set(order[1:-2])", "set(order[1:-1])"),
            (
                "(seal,), sections = parts[\"opened\"], parts[\"ledger\"], parts[\"seal\"],",
                "sections = parts[\"opened\"], parts[\"ledger\"],",
            ),
            ("    found = []\n", "    return []\n"),
            ("\"seal\": plain(parts[\"seal\"][0]),", ""),
        ],
        case: "no-seal",
        fails: NOT_NOTICED,
    },
    Mutant {
        name: "ends with 0 whatever came",
        edits: &[("return 1 if wrong else 0", "return 0")],
        case: "cut-stream",
        fails: &["does not end with 0"],
    },
    Mutant {
        name: "does not compare the person",
        edits: &[("or not is_meant(asked[\"options\"], opened.golden)", "")],
        case: "another-persons-record",
        fails: NOT_NOTICED_AND_SHOWN,
    },
    Mutant {
        name: "does not compare the query",
        edits: &[("{opened.query_id, seal.query_id} != {asked[\"query_id\"]}", "False")],
        case: "another-query-sealed",
        fails: NOT_NOTICED,
    },
    Mutant {
        name: "does not account for every source",
        edits: &[
            ("if not len(ledger.rows) == len(pairs)", "if not len(pairs)"),
            ("== len(sources) * len(opened.datasets)", ""),
        ],
        case: "row-lost-and-sealed",
        fails: NOT_NOTICED,
    },
];

const NOT_NOTICED: &[&str] = &["does not end with 0", "is not called complete", "says that it is not whole"];
const NOT_NOTICED_AND_SHOWN: &[&str] = &[
    "does not end with 0",
    "is not called complete",
    "says that it is not whole",
    "nothing of the other person is shown",
];

fn python(script: &Path) -> Vec<String> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/bin/python");
    assert!(python.exists(), "{} is missing; run tests/run --install", python.display());
    [&python, script].map(|path| path.to_str().unwrap().to_owned()).into()
}

fn client() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/retrieve.py")
}

/// The checks that a command fails, each after its case.
async fn failing(command: &[String], cases: &[&str]) -> Vec<(&'static str, &'static str)> {
    let findings = check(command, cases).await.unwrap();
    assert!(!findings.is_empty());
    findings.iter().filter(|finding| !finding.kept).map(|finding| (finding.case, finding.check)).collect()
}

fn severn(arguments: &[&str]) -> Vec<String> {
    let severn = [env!("CARGO_BIN_EXE_party"), "severn", "--config", "{config}"];
    let person = ["record", "--nhs", "{nhs}", "--born", "{born}"];
    severn.iter().chain(arguments).chain(&person).map(|argument| (*argument).to_owned()).collect()
}

#[tokio::test]
async fn severn_record_passes_as_a_page_and_as_json() {
    assert_eq!(failing(&severn(&[]), &[]).await, []);
    assert_eq!(failing(&severn(&["--json"]), &[]).await, []);
}

#[tokio::test]
async fn the_python_client_passes() {
    assert_eq!(failing(&python(&client()), &[]).await, []);
}

#[tokio::test]
async fn a_client_that_leaves_something_out_fails_by_name() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/wire/proto");
    let source = fs::read_to_string(client()).unwrap();
    let here = "pathlib.Path(__file__).resolve().parents[3] / \"proto/wire/proto\"";
    let source = replaced(&source, here, &format!("pathlib.Path({:?})", contract.canonicalize().unwrap()));
    let folder = tempfile::tempdir().unwrap();
    for mutant in MUTANTS {
        let edited = mutant.edits.iter().fold(source.clone(), |text, (from, to)| replaced(&text, from, to));
        let script = folder.path().join("mutant.py");
        fs::write(&script, edited).unwrap();
        let failed = failing(&python(&script), &[mutant.case]).await;
        let mut expected: Vec<_> = mutant.fails.iter().map(|check| (mutant.case, *check)).collect();
        expected.sort_unstable();
        let mut found = failed.clone();
        found.sort_unstable();
        assert_eq!(found, expected, "a client that {}", mutant.name);
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the client no longer says {from:?}: edit it elsewhere");
    text.replace(from, to)
}

#[tokio::test]
async fn a_client_that_does_nothing_passes_nothing_that_counts() {
    let nothing = ["true".to_owned()];
    for finding in check(&nothing, &[]).await.unwrap() {
        let passes = ["does not say", "is not called", "nothing can", "nothing of the other", "ends with 0"];
        let may = passes.iter().any(|beginning| finding.check.starts_with(beginning));
        assert!(!finding.kept || may, "{}: {}", finding.case, finding.check);
        assert!(finding.reason.len() > 20);
    }
    assert!(check(&nothing, &["no-such-case"]).await.is_err());
}
