//! The contract says of itself what it promises: every word has a comment, every enum a refused zero, every dataset its
//! typed detail. Style is left to buf; behaviour is tested elsewhere.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet, field_descriptor_proto::Type,
};
use severn_trust::{ALL_DATASETS, dataset_word};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Which detail of `EntryBody` each dataset has.
const DETAILS: [(&str, &str); 33] = [
    ("alerts", "alert"),
    ("allergies", "allergy"),
    ("risks", "risk"),
    ("safeguarding", "safeguarding"),
    ("crisis_plans", "crisis_plan"),
    ("legal_status", "legal_status"),
    ("end_of_life", "end_of_life"),
    ("medications", "medication"),
    ("problems", "problem"),
    ("procedures", "procedure"),
    ("immunisations", "immunisation"),
    ("investigations", "investigation"),
    ("observations", "observation"),
    ("pregnancy", "pregnancy"),
    ("family_history", "family_history"),
    ("documents", "document"),
    ("encounters", "encounter"),
    ("appointments", "appointment"),
    ("referrals", "referral"),
    ("demographics", "demographics"),
    ("gp_practice", "gp_practice"),
    ("contacts", "contact"),
    ("care_team", "care_team"),
    ("care_plans", "care_plan"),
    ("goals", "goal"),
    ("services", "service"),
    ("assessments", "assessment"),
    ("primary_support_reason", "support_reason"),
    ("equipment", "equipment"),
    ("social_context", "social_context"),
    ("about_me", "about_me"),
    ("individual_requirements", "requirement"),
    ("research", "research"),
];

// Field numbers in descriptor.proto, of which the paths in a file's source information are made.
const OF_FILE: Places = Places { messages: 4, enums: 5 };
const OF_MESSAGE: Places = Places { messages: 3, enums: 4 };
const SERVICE: i32 = 6;
const FIELD: i32 = 2;
const VALUE: i32 = 2;
const METHOD: i32 = 2;
const ONEOF: i32 = 8;

struct Places {
    messages: i32,
    enums: i32,
}

fn contract() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(severn_proto::DESCRIPTORS).unwrap();
    let files: Vec<_> = set.file.into_iter().filter(|file| file.package() == "severn.v1").collect();
    assert_eq!(files.len(), 13, "a file of the contract is missing from its descriptors");
    files
}

/// Calls `visit` with place and content of every message and every enum of a file, nested ones too.
fn walk<'a>(
    file: &'a FileDescriptorProto,
    message: &mut dyn FnMut(&[i32], &'a DescriptorProto),
    enumeration: &mut dyn FnMut(&[i32], &'a EnumDescriptorProto),
) {
    let mut waiting = Vec::new();
    let add = |waiting: &mut Vec<_>, at: &[i32], places: &Places, nested: &'a [DescriptorProto]| {
        waiting.extend(nested.iter().zip(0..).map(|(m, n)| ([at, &[places.messages, n]].concat(), m)));
    };
    add(&mut waiting, &[], &OF_FILE, &file.message_type);
    file.enum_type.iter().zip(0..).for_each(|(e, n)| enumeration(&[OF_FILE.enums, n], e));
    while let Some((at, found)) = waiting.pop() {
        message(&at, found);
        found.enum_type.iter().zip(0..).for_each(|(e, n)| enumeration(&[&at[..], &[OF_MESSAGE.enums, n]].concat(), e));
        add(&mut waiting, &at, &OF_MESSAGE, &found.nested_type);
    }
}

fn messages(files: &[FileDescriptorProto]) -> BTreeMap<String, &DescriptorProto> {
    let mut found = BTreeMap::new();
    for file in files {
        let mut keep = |_: &[i32], m| {
            found.insert(DescriptorProto::name(m).to_owned(), m);
        };
        walk(file, &mut keep, &mut |_, _| ());
    }
    found
}

/// Names and places of all that wants a comment.
fn named_places(file: &FileDescriptorProto) -> Vec<(String, Vec<i32>)> {
    let mut places = Vec::new();
    let mut of_enums = Vec::new();
    let below = |at: &[i32], kind: i32, n: i32| [at, &[kind, n]].concat();
    walk(
        file,
        &mut |at, m| {
            places.push((m.name().to_owned(), at.to_vec()));
            let fields = m.field.iter().zip(0..);
            places.extend(fields.map(|(f, n)| (format!("{}.{}", m.name(), f.name()), below(at, FIELD, n))));
            let synthetic: HashSet<i32> =
                m.field.iter().filter(|f| f.proto3_optional()).filter_map(|f| f.oneof_index).collect();
            let oneofs = m.oneof_decl.iter().zip(0..).filter(|(_, n)| !synthetic.contains(n));
            places.extend(oneofs.map(|(o, n)| (format!("{}.{}", m.name(), o.name()), below(at, ONEOF, n))));
        },
        &mut |at, e| {
            of_enums.push((e.name().to_owned(), at.to_vec()));
            of_enums.extend(e.value.iter().zip(0..).map(|(v, n)| (v.name().to_owned(), below(at, VALUE, n))));
        },
    );
    for (service, n) in file.service.iter().zip(0..) {
        places.push((service.name().to_owned(), vec![SERVICE, n]));
        let methods = service.method.iter().zip(0..);
        places.extend(methods.map(|(m, k)| (format!("{}.{}", service.name(), m.name()), vec![SERVICE, n, METHOD, k])));
    }
    places.extend(of_enums);
    places
}

#[test]
fn every_word_of_the_contract_has_a_comment() {
    let mut count = 0;
    for file in contract() {
        let info = file.source_code_info.as_ref().expect("the descriptors carry no source information");
        let commented: HashSet<&[i32]> = info
            .location
            .iter()
            .filter(|l| !l.leading_comments().trim().is_empty())
            .map(|l| l.path.as_slice())
            .collect();
        for (name, at) in named_places(&file) {
            count += 1;
            assert!(commented.contains(at.as_slice()), "{}: {name} has no comment above it", file.name());
        }
    }
    assert!(count > 500, "only {count} names were looked at");
}

#[test]
fn every_enum_is_prefixed_and_its_zero_is_unspecified() {
    let mut count = 0;
    for file in contract() {
        walk(&file, &mut |_, _| (), &mut |_, e| {
            count += 1;
            let prefix = format!("{}_", upper_snake(e.name()));
            let zero = e.value.iter().find(|value| value.number() == 0).map(|value| value.name());
            assert_eq!(zero, Some(format!("{prefix}UNSPECIFIED").as_str()), "{}", e.name());
            for value in &e.value {
                assert!(value.name().starts_with(&prefix), "{} is not prefixed with {prefix}", value.name());
            }
            let numbers: BTreeSet<i32> = e.value.iter().map(|value| value.number()).collect();
            assert_eq!(numbers.len(), e.value.len(), "{} gives a number twice", e.name());
        });
    }
    assert!(count >= 10, "only {count} enums were looked at");
}

fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_uppercase());
    }
    out
}

#[test]
fn every_dataset_has_its_typed_detail() {
    let files = contract();
    let messages = messages(&files);
    let body = messages["EntryBody"];
    let details: BTreeMap<&str, &str> =
        body.field.iter().filter(|f| f.oneof_index.is_some()).map(|f| (f.name(), f.type_name())).collect();
    let words: Vec<String> = ALL_DATASETS.into_iter().map(dataset_word).collect();
    assert_eq!(words, DETAILS.map(|(dataset, _)| dataset), "a dataset is missing from the table above");
    let named: BTreeSet<&str> = DETAILS.iter().map(|(_, detail)| *detail).collect();
    assert_eq!(named.len(), DETAILS.len(), "two datasets share a detail");
    assert_eq!(named, details.keys().copied().collect(), "EntryBody has other details than the table above");
    for (field, kind) in details {
        let message = kind.strip_prefix(".severn.v1.").unwrap_or(kind);
        assert!(message.ends_with("Detail"), "{field} is a {message}");
        assert!(!messages[message].field.is_empty(), "{message} has no field");
    }
}

#[test]
fn nothing_is_a_map_a_group_or_from_elsewhere() {
    // A map has no order on the wire, and the digest of a record is over its bytes.
    for file in contract() {
        for import in &file.dependency {
            assert!(import.starts_with("severn/v1/"), "{} imports {import}", file.name());
        }
        assert_eq!(file.syntax(), "proto3", "{}", file.name());
        walk(
            &file,
            &mut |_, m| {
                let map = m.options.as_ref().is_some_and(|options| options.map_entry());
                assert!(!map, "{}: {} is a map", file.name(), m.name());
                for field in &m.field {
                    assert_ne!(field.r#type(), Type::Group, "{}.{}", m.name(), field.name());
                }
            },
            &mut |_, _| (),
        );
    }
}

#[test]
fn the_services_are_those_of_the_design() {
    let services: BTreeMap<String, Vec<String>> = contract()
        .into_iter()
        .flat_map(|file| file.service)
        .map(|s| (s.name().to_owned(), s.method.iter().map(|m| m.name().to_owned()).collect()))
        .collect();
    let named = |service: &str| services.get(service).cloned().unwrap_or_default();
    for (service, methods) in [
        ("RecordBroker", &["FindPerson", "RetrieveRecord", "FetchDocument", "AccessReport"][..]),
        (
            "PatientIndex",
            &[
                "Feed",
                "Link",
                "Unlink",
                "TellApart",
                "ReviewQueue",
                "History",
                "SourceQuality",
                "OwnQuality",
                "Postpone",
                "TakeBack",
                "Decisions",
            ],
        ),
        ("AuditWitness", &["Checkpoint", "Cosign"]),
        ("SourceAdapter", &["Describe", "Fetch"]),
        ("Challenges", &["Challenge", "ListChallenges"]),
        ("ChallengeInbox", &["TakeChallenge", "ListTaken"]),
        ("Governance", &["EnterDirective", "WithdrawDirective", "ListDirectives", "ClaimRelationship", "OpenOverride"]),
        ("Governance", &["OversightQueue", "RecordReview"]),
    ] {
        let found = named(service);
        for method in methods {
            assert!(found.iter().any(|name| name == method), "{service} has no {method}");
        }
    }
}
