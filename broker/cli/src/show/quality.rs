//! How good what sources announce is: for each finding how many, of how many, and of one source whom.

use super::page::{Cell, Ink, Page, Style};
use crate::dates::show_moment;
use severn_proto::v1::{QualityFinding as Finding, QualityRate, QualityReport};

/// Characters of a finding.
const FINDING: usize = 44;

/// Characters of a count.
const COUNT: usize = 11;

/// Local ids that are shown of one finding; JSON has all.
const SHOWN_MAX: usize = 10;

/// One source after the other, findings with nothing found left out.
pub(crate) fn render_quality(reports: &[QualityReport], style: &Style) -> String {
    let mut page = Page::new(style);
    for report in reports {
        let at = show_moment(report.at_ms, &style.zone);
        page.put(0, Ink::Strong, &format!("{}: {} registrations, {at}", report.source_id, report.registrations));
        let found: Vec<&QualityRate> = report.rates.iter().filter(|rate| rate.count > 0).collect();
        if found.is_empty() {
            page.put(2, Ink::Plain, "Nothing was found.");
        } else {
            let row = ["found", "count", "of", "rate"];
            page.put_row(2, Ink::Quiet, &cells(&row));
        }
        for rate in found {
            let (count, of) = (rate.count.to_string(), rate.of.to_string());
            page.put_row(2, Ink::Plain, &cells(&[words(rate.finding()), &count, &of, &percent(rate)]));
            put_local_ids(&mut page, rate);
        }
        page.blank();
    }
    page.put(0, Ink::Plain, &format!("{} sources", reports.len()));
    page.finish()
}

fn cells<'a>(row: &[&'a str; 4]) -> [Cell<'a>; 4] {
    [Cell::left(FINDING, row[0]), Cell::right(COUNT, row[1]), Cell::right(COUNT, row[2]), Cell::right(COUNT, row[3])]
}

/// What is there at all is never shown as 0%.
fn percent(rate: &QualityRate) -> String {
    match rate.count as f64 * 100.0 / rate.of.max(1) as f64 {
        small if small < 0.01 => "<0.01%".into(),
        share => format!("{share:.2}%"),
    }
}

fn put_local_ids(page: &mut Page<'_>, rate: &QualityRate) {
    if rate.local_ids.is_empty() {
        return;
    }
    let shown = rate.local_ids.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = rate.count.saturating_sub(SHOWN_MAX as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    page.put_marked(4, "local ids: ", Ink::Plain, &format!("{shown}{more}"));
}

fn words(finding: Finding) -> &'static str {
    match finding {
        Finding::Unspecified => "a finding not known to this program",
        Finding::NhsNumberMissing => "NHS number missing",
        Finding::NhsNumberMalformed => "NHS number malformed",
        Finding::NhsNumberPlaceholder => "NHS number a placeholder",
        Finding::NhsNumberUnverified => "NHS number not verified",
        Finding::BirthDateMissing => "birth date missing",
        Finding::BirthDatePlaceholder => "birth date a placeholder",
        Finding::BirthDatePartial => "birth date partial",
        Finding::BirthDateFirstOfJanuary => "born on 1 January (expect 0.3%)",
        Finding::NameMissing => "given or family name missing",
        Finding::NamePlaceholder => "name a placeholder",
        Finding::PostcodeMissing => "postcode missing",
        Finding::PostcodeMalformed => "postcode malformed",
        Finding::PostcodeZz99 => "postcode ZZ99",
        Finding::PhoneSharedByMany => "phone shared by 20 or more",
        Finding::SexUnknown => "sex unknown",
        Finding::BirthDateDisagrees => "birth date disagrees with its person",
        Finding::SexDisagrees => "sex disagrees with its person",
        Finding::FamilyNameDisagrees => "family name disagrees with its person",
        Finding::NhsNumberDisagrees => "NHS number disagrees with its person",
        Finding::DuplicateInSource => "its person has another local id here",
        Finding::InReview => "in the review queue",
    }
}
