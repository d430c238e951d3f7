//! A steward's queue: each pair with both registrations side by side, and a bar picture of what speaks for and against
//! one person. Everything that a bar says is said in figures too, and nothing by colour alone.

use super::{
    page::{Cell, Ink, Page, Style},
    record::{one_line, show_name, show_nhs},
    words,
};
use crate::dates::show_date;
use severn_proto::v1::{
    Demographics, FieldReason, Registration, ReviewCount, ReviewKind, ReviewPair, ReviewQueueResponse, human_name::Use,
    telecom::System,
};

/// Characters in a line, at most: side by side, nothing is easier to read when it is wider apart.
const WIDTH_MAX: usize = 80;

/// Characters of a line's title.
const TITLE: usize = 13;

/// Characters between two columns.
const GAP: usize = 2;

/// Characters of the longest bar, on either side.
const BAR: usize = 11;

/// Characters of a level in words.
const LEVEL: usize = 25;

/// Characters of a weight: a sign, three digits, a point and one more.
const WEIGHT: usize = 6;

/// Pairs of registrations to decide.
pub(crate) fn render_review(queue: &ReviewQueueResponse, style: &Style) -> String {
    let pairs = &queue.pairs;
    let style = Style { width: style.width.min(WIDTH_MAX), ..style.clone() };
    let mut page = Page::new(&style);
    for (pair, number) in pairs.iter().zip(1..) {
        page.heading(Ink::Strong, &format!("{number} of {}", pairs.len()));
        put_pair(&mut page, pair);
        page.blank();
    }
    match pairs.len() {
        0 => page.put(0, Ink::Plain, "No pair waits to be decided."),
        1 => page.put(0, Ink::Plain, "1 pair to decide"),
        count => page.put(0, Ink::Plain, &format!("{count} pairs to decide, the most harmful first")),
    }
    if !pairs.is_empty() {
        page.put(0, Ink::Plain, "One person: severn link SOURCE ID SOURCE ID --reason …");
        page.put(0, Ink::Plain, "Two people: severn different SOURCE ID SOURCE ID --reason …");
        page.put(0, Ink::Plain, "Not now: severn later SOURCE ID SOURCE ID --days … --reason …");
        if pairs.iter().any(|pair| pair.kind() == ReviewKind::RegistrationDisagrees) {
            page.put(0, Ink::Plain, "Out of its person: severn unlink SOURCE ID --reason …");
        }
    }
    if !queue.counts.is_empty() {
        let count = |c: &ReviewCount| format!("{} {}", kind(c.kind()), c.pairs);
        let counts = queue.counts.iter().map(count).collect::<Vec<_>>().join(", ");
        page.put_marked(0, "Waiting in all: ", Ink::Plain, &counts);
    }
    if queue.postponed > 0 {
        page.put(0, Ink::Plain, &format!("Decided later, and not shown: {}", queue.postponed));
    }
    page.finish()
}

/// Every kind of task.
pub(crate) const REVIEW_KINDS: [ReviewKind; 11] = [
    ReviewKind::ChangedIntoSomebodyElse,
    ReviewKind::NumberOverlaid,
    ReviewKind::RegistrationDisagrees,
    ReviewKind::DatesOfDeath,
    ReviewKind::DuplicateNumbers,
    ReviewKind::DecisionsContradict,
    ReviewKind::PersonsDisagree,
    ReviewKind::LeadTooSmall,
    ReviewKind::PossibleTwins,
    ReviewKind::PossibleDuplicate,
    ReviewKind::NamesAndBirthOnly,
];

fn kind(kind: ReviewKind) -> &'static str {
    match kind {
        ReviewKind::Unspecified => "of a kind not known to this program",
        ReviewKind::ChangedIntoSomebodyElse => "registration changed into somebody else",
        ReviewKind::NumberOverlaid => "number overlaid",
        ReviewKind::RegistrationDisagrees => "registration disagrees with its person",
        ReviewKind::DatesOfDeath => "dates of death",
        ReviewKind::DuplicateNumbers => "possible duplicate NHS numbers",
        ReviewKind::DecisionsContradict => "decisions contradict",
        ReviewKind::PersonsDisagree => "persons disagree",
        ReviewKind::LeadTooSmall => "lead too small",
        ReviewKind::PossibleTwins => "possible twins",
        ReviewKind::PossibleDuplicate => "possible duplicate",
        ReviewKind::NamesAndBirthOnly => "names and birth date only",
    }
}

fn put_pair(page: &mut Page<'_>, pair: &ReviewPair) {
    page.put_marked(0, "? ", Ink::Warn, &pair.why);
    page.put(2, Ink::Plain, &likelihood(pair));
    page.blank();
    let nobody = Registration::default();
    let both = [pair.a.as_ref().unwrap_or(&nobody), pair.b.as_ref().unwrap_or(&nobody)];
    put_side_by_side(page, both);
    page.blank();
    put_weights(page, &pair.reasons);
}

/// "by score alone 97.3% likely to be one person (5.2 bits, model uk-1)": never rounded to a certainty.
fn likelihood(pair: &ReviewPair) -> String {
    let percent = match pair.probability * 100.0 {
        high if high > 99.99 => "more than 99.99%".into(),
        low if low < 0.01 => "less than 0.01%".into(),
        between => format!("{between:.2}%"),
    };
    format!("By score alone {percent} likely one person ({:+.1} bits, model {}).", pair.bits, pair.model_version)
}

fn put_side_by_side(page: &mut Page<'_>, both: [&Registration; 2]) {
    let column = page.style.width.saturating_sub(TITLE + GAP + GAP) / 2;
    let local_id = |r: &Registration| r.local_id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
    let [a, b] = both.map(|r| format!("{} {}", r.source_id, local_id(r)));
    page.put_row(GAP, Ink::Strong, &line("", [&a, &b], column));
    let unknown = Demographics::default();
    let people = both.map(|r| r.demographics.as_ref().unwrap_or(&unknown));
    for (title, of) in LINES {
        let [a, b] = people.map(of);
        if a.is_empty() && b.is_empty() {
            continue;
        }
        let agree = a.to_lowercase() == b.to_lowercase();
        let mark = if agree || a.is_empty() || b.is_empty() { "" } else { " ≠" };
        let [a, b] = [a, b].map(|text| if text.is_empty() { "–".into() } else { text });
        page.put_row(GAP, Ink::Plain, &line(&format!("{title}{mark}"), [&a, &b], column));
    }
}

fn line<'a>(title: &'a str, [a, b]: [&'a str; 2], column: usize) -> [Cell<'a>; 3] {
    [Cell::left(TITLE, title), Cell::left(column, a), Cell::left(column, b)]
}

/// What is shown of a person, line by line.
type Line = (&'static str, fn(&Demographics) -> String);

const LINES: [Line; 12] = [
    ("name", |p| names(p, Which::Current)),
    ("other names", |p| names(p, Which::Other)),
    ("born", |p| show_date(&p.birth_date)),
    ("NHS number", nhs_number),
    ("sex", |p| words::sex(p.sex).into()),
    ("address", |p| addresses(p, Which::Current)),
    ("lived at", |p| addresses(p, Which::Other)),
    ("phone", |p| telecoms(p, |system| system != System::Email)),
    ("e-mail", |p| telecoms(p, |system| system == System::Email)),
    ("GP practice", |p| p.gp_practice_ods.clone()),
    ("died", died),
    ("called", |p| p.preferred_name.clone()),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Current,
    Other,
}

fn names(person: &Demographics, which: Which) -> String {
    let current = person.names.iter().position(|name| name.r#use() != Use::Old).unwrap_or(0);
    let wanted = person.names.iter().enumerate().filter(|(at, _)| (*at == current) == (which == Which::Current));
    wanted.map(|(_, name)| show_name(name)).collect::<Vec<_>>().join("; ")
}

fn nhs_number(person: &Demographics) -> String {
    match show_nhs(&person.nhs_number) {
        number if number.is_empty() || person.nhs_number_verified => number,
        number => format!("{number} (not verified)"),
    }
}

fn addresses(person: &Demographics, which: Which) -> String {
    let wanted = person.addresses.iter().filter(|address| address.until.is_empty() == (which == Which::Current));
    wanted.map(one_line).collect::<Vec<_>>().join("; ")
}

fn telecoms(person: &Demographics, is_wanted: fn(System) -> bool) -> String {
    let wanted = person.telecoms.iter().filter(|telecom| is_wanted(telecom.system()));
    wanted.map(|telecom| telecom.value.as_str()).collect::<Vec<_>>().join("; ")
}

fn died(person: &Demographics) -> String {
    match show_date(&person.death_date) {
        date if date.is_empty() && person.deceased => "yes, date not known".into(),
        date => date,
    }
}

fn put_weights(page: &mut Page<'_>, reasons: &[FieldReason]) {
    if reasons.is_empty() {
        return page.put(GAP, Ink::Plain, "Nothing of the two could be compared.");
    }
    page.put_row(GAP, Ink::Quiet, &weight(["compared", "", "bits"], ["against", "for one"]));
    let most = reasons.iter().map(|reason| reason.weight_bits.abs()).fold(0.0, f64::max);
    for reason in reasons {
        let bar = bar(reason.weight_bits, most);
        let bars = if reason.weight_bits < 0.0 { [bar.as_str(), ""] } else { ["", bar.as_str()] };
        let bits = format!("{:+.1}", reason.weight_bits);
        page.put_row(GAP, Ink::Plain, &weight([&reason.field, &reason.level, &bits], bars));
    }
}

fn weight<'a>([field, level, bits]: [&'a str; 3], [against, support]: [&'a str; 2]) -> [Cell<'a>; 5] {
    [
        Cell::left(TITLE, field),
        Cell::left(LEVEL, level),
        Cell::right(WEIGHT, bits),
        Cell::right(BAR, against),
        Cell::left(BAR, support),
    ]
}

/// A bar as long as `weight` is of `most`; what is there at all is seen.
fn bar(weight: f64, most: f64) -> String {
    let share = if most > 0.0 { weight.abs() / most } else { 0.0 };
    let length = (share * BAR as f64).round() as usize;
    "█".repeat(length.max(usize::from(weight != 0.0)).min(BAR))
}
