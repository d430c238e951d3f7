//! How good what sources announce is.

use super::*;
use severn_proto::v1::{QualityFinding as Finding, Telecom};

/// "count of" and the local ids of a finding.
fn found(report: &QualityReport, finding: Finding) -> (u64, u64, Vec<String>) {
    let rate = report.rates.iter().find(|rate| rate.finding() == finding).unwrap();
    let mut local_ids = rate.local_ids.clone();
    local_ids.sort_unstable();
    (rate.count, rate.of, local_ids)
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn at_postcode(code: &str) -> Demographics {
    let address = Address { postcode: code.into(), ..Address::default() };
    Demographics { addresses: vec![address], ..numbered(ANNA, "Anna") }
}

#[tokio::test]
async fn what_is_missing_malformed_or_a_placeholder_is_counted_with_its_local_ids() {
    let (_, index) = memory().await;
    let nobody =
        Demographics { names: vec![], birth_date: String::new(), addresses: vec![], ..Demographics::default() };
    for (name, demographics) in [
        ("A/sound", Demographics { nhs_number_verified: true, ..numbered(ANNA, "Anna") }),
        ("A/empty", nobody),
        ("A/digit", numbered("9434765918", "Dora")),
        ("A/zeros", Demographics { birth_date: "1900-01-01".into(), ..numbered("0000000000", "Baby") }),
        ("A/part", Demographics { birth_date: "1971".into(), ..smith("Ewan") }),
        ("A/january", Demographics { birth_date: "1971-01-01".into(), ..smith("Fred") }),
        ("A/shape", at_postcode("12345")),
        ("A/abroad", at_postcode("zz99 3vz")),
        ("B/1", Demographics::default()),
    ] {
        register(&index, name, &demographics).await;
    }
    withdraw(&index, "A/sound").await;
    register(&index, "A/sound", &Demographics { nhs_number_verified: true, ..numbered(ANNA, "Anna") }).await;
    let reports = index.quality(Some(&source("A")), Naming::LocalIds).await.unwrap();
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert_eq!((report.source_id.as_str(), report.registrations), ("A", 8));
    for (finding, count, of, local_ids) in [
        (Finding::NhsNumberMissing, 3, 8, &["empty", "january", "part"][..]),
        (Finding::NhsNumberMalformed, 1, 5, &["digit"]),
        (Finding::NhsNumberPlaceholder, 1, 5, &["zeros"]),
        (Finding::NhsNumberUnverified, 2, 3, &["abroad", "shape"]),
        (Finding::BirthDateMissing, 1, 8, &["empty"]),
        (Finding::BirthDatePlaceholder, 1, 7, &["zeros"]),
        (Finding::BirthDatePartial, 1, 6, &["part"]),
        (Finding::BirthDateFirstOfJanuary, 1, 5, &["january"]),
        (Finding::NameMissing, 1, 8, &["empty"]),
        (Finding::NamePlaceholder, 1, 8, &["zeros"]),
        (Finding::PostcodeMissing, 1, 8, &["empty"]),
        (Finding::PostcodeMalformed, 1, 7, &["shape"]),
        (Finding::PostcodeZz99, 1, 7, &["abroad"]),
        (Finding::SexUnknown, 1, 8, &["empty"]),
    ] {
        assert_eq!(self::found(report, finding), (count, of, ids(local_ids)), "{finding:?}");
    }
    let all = index.quality(None, Naming::Nobody).await.unwrap();
    assert_eq!(all.iter().map(|r| (r.source_id.as_str(), r.registrations)).collect::<Vec<_>>(), [("A", 8), ("B", 1)]);
    assert!(all.iter().flat_map(|report| &report.rates).all(|rate| rate.local_ids.is_empty()));
    assert_eq!(index.quality(Some(&source("Z")), Naming::LocalIds).await.unwrap(), []);
}

#[tokio::test]
async fn who_stands_against_the_rest_of_a_person_is_counted_and_of_others_nothing_is_said() {
    let (_, index) = memory().await;
    for name in ["A/1", "B/secret", "C/1"] {
        register(&index, name, &numbered(ANNA, "Anna")).await;
    }
    register(&index, "A/2", &numbered(ANNA, "Anna")).await;
    let slip = Demographics { birth_date: "1980-02-02".into(), sex: Sex::Male.into(), ..numbered(ANNA, "Anna") };
    register(&index, "A/2", &slip).await;
    register(&index, "A/3", &smith("Beth")).await;
    let report = index.quality(Some(&source("A")), Naming::LocalIds).await.unwrap().remove(0);
    assert_eq!(known_at(&index, who(&index, "A/2")), ["A/1", "A/2", "B/secret", "C/1"]);
    assert_eq!(found(&report, Finding::BirthDateDisagrees), (1, 2, ids(&["2"])));
    assert_eq!(found(&report, Finding::SexDisagrees), (1, 2, ids(&["2"])));
    assert_eq!(found(&report, Finding::FamilyNameDisagrees), (0, 2, vec![]));
    assert_eq!(found(&report, Finding::NhsNumberDisagrees), (0, 2, vec![]));
    assert_eq!(found(&report, Finding::DuplicateInSource), (2, 3, ids(&["1", "2"])));
    let waiting = index.review_queue(99, &[]).unwrap().pairs;
    let own = |r: &Option<Registration>| r.clone().filter(|r| r.source_id == "A").map(|r| r.local_id.unwrap().value);
    let mut listed: Vec<String> = waiting.iter().flat_map(|pair| [own(&pair.a), own(&pair.b)]).flatten().collect();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(found(&report, Finding::InReview), (listed.len() as u64, 3, listed));
    assert!(!format!("{report:?}").contains("secret"));
}

#[tokio::test]
async fn a_practices_phone_on_everybody_is_found_and_local_ids_are_bounded() {
    let (_, index) = memory().await;
    let somebody = |n: usize| {
        let value = if n % 100 < 99 { "0121 496 0000".into() } else { format!("0121 497 {n:04}") };
        let born = format!("{}-{:02}-{:02}", 1930 + n % 70, 1 + n % 12, 1 + n % 28);
        Demographics {
            birth_date: born,
            telecoms: vec![Telecom { value, ..Telecom::default() }],
            ..Demographics::default()
        }
    };
    let change =
        |n: usize| FeedAnnounce { cursor: n as u64 + 1, change: Some(registered(&format!("A/{n}"), &somebody(n))) };
    index.announce(&source("A"), EPOCH, (0..1_100).map(change).collect()).await.unwrap();
    let report = index.quality(Some(&source("A")), Naming::LocalIds).await.unwrap().remove(0);
    let (count, of, local_ids) = found(&report, Finding::PhoneSharedByMany);
    assert_eq!((count, of, local_ids.len()), (1_089, 1_100, LOCAL_IDS_MAX));
    assert_eq!(found(&report, Finding::NameMissing).2.len(), LOCAL_IDS_MAX);
}
