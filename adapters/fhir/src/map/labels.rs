//! Security labels of a resource (`meta.security`) as sensitivity labels. A code that is not in this table becomes
//! `UNSPECIFIED`, which every reader takes as deny.
//!
//! `R` (restricted) says that more than ordinary protection applies, but not why. Where a topic label that is understood
//! stands beside it, the topic's rule decides; alone, and for `V` (very restricted) always, it denies.

use super::json::Json;
use severn_proto::v1::SensitivityLabel::{self, *};
use std::collections::BTreeSet;

/// The labels of a resource: of `meta.security`, and of `securityLabel` where the type has one. None means normal.
pub(crate) fn labels(json: &Json) -> Vec<i32> {
    let of_meta = json.at("meta").at("security").items().iter();
    let of_document = json.at("securityLabel").items().iter().flat_map(|concept| match concept.at("coding").items() {
        [] => std::slice::from_ref(concept),
        codings => codings,
    });
    let mut found = BTreeSet::new();
    let mut restricted = false;
    for coding in of_meta.chain(of_document) {
        match reading(coding.at("system").text(), coding.at("code").text()) {
            Reading::Ordinary => {}
            Reading::Restricted => restricted = true,
            Reading::Topic(label) => {
                found.insert(label as i32);
            }
        }
    }
    if restricted && found.is_empty() {
        found.insert(Unspecified as i32);
    }
    found.into_iter().collect()
}

enum Reading {
    Ordinary,
    Restricted,
    Topic(SensitivityLabel),
}

fn reading(system: &str, code: &str) -> Reading {
    let system = system.rsplit('/').next().unwrap_or_default();
    match (system, code) {
        ("v3-Confidentiality" | "Confidentiality", "U" | "L" | "M" | "N") => Reading::Ordinary,
        ("v3-Confidentiality" | "Confidentiality", "R") => Reading::Restricted,
        ("v3-ActCode" | "ActCode", topic) => Reading::Topic(match topic {
            "PSY" | "MH" | "PSYTHPN" | "EMOTDIS" => MentalHealth,
            "HIV" | "STD" | "SEX" => SexualHealth,
            "ETH" | "ETHUD" | "SUD" | "OPIOIDUD" => SubstanceUse,
            "SDV" | "VIO" => Safeguarding,
            "LOCIS" => Location,
            _ => Unspecified,
        }),
        _ => Reading::Topic(Unspecified),
    }
}
