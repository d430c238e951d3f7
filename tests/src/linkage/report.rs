//! Puts what was measured beside what the issue asks for.

use super::{
    Measured,
    durable::{self, Durable},
    engine::Online,
    febrl::Febrl,
    quality::Outcome,
    table::{self, Bound, Bound::AtLeast, Bound::AtMost, Bound::Told, Row},
};
use serde::Serialize;
use std::io::{Result, Write};

/// Everything, for people and for programs.
#[derive(Debug, Serialize)]
pub struct Report {
    set: String,
    rows: Vec<Row>,
    measured: Vec<Measured>,
    febrl: Option<Febrl>,
    search: Option<Online>,
    durable: Option<Durable>,
}

impl Report {
    /// Of one set with and without numbers.
    #[must_use]
    pub fn new(set: String, measured: Vec<Measured>, febrl: Option<Febrl>, search: Option<Online>) -> Report {
        let mut rows: Vec<Row> = measured.iter().flat_map(links).collect();
        if let Some(febrl) = febrl {
            rows.push(Row::new("FEBRL 4, p ≥ .95: F1", febrl.from_95.f1, AtLeast(0.9995)));
            rows.push(Row::new("FEBRL 4, p ≥ .95: wrong links", febrl.from_95.wrong as f64, AtMost(0.0)));
        }
        rows.extend(search.iter().flat_map(online));
        Report { set, rows, measured, febrl, search, durable: None }
    }

    /// With what was measured of an index on disk.
    #[must_use]
    pub fn with_durable(mut self, durable: Option<Durable>) -> Report {
        self.rows.extend(durable.iter().flat_map(durable::table));
        self.durable = durable;
        self
    }

    /// Prints the table.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn print(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "{}", self.set)?;
        table::print(out, &self.rows)?;
        for measured in &self.measured {
            let numbers = numbers(measured.with_numbers);
            writeln!(out, "\ncalibration, {numbers}: from p, pairs, promised, kept")?;
            for band in &measured.calibration {
                writeln!(out, "  {:<8} {:>9} {:>9.5} {:>9.5}", band.from, band.pairs, band.promised, band.kept)?;
            }
            writeln!(out, "\ntraps, {numbers}: pairs, linked / review / none")?;
            for (kind, Outcome { pairs, same_person, linked, review, none }) in &measured.traps {
                let wanted = if *same_person { "link" } else { "apart" };
                writeln!(out, "  {kind:<28} {wanted:<6} {pairs:>7}  {linked:.4} / {review:.4} / {none:.4}")?;
            }
            writeln!(out, "\nrecall by origin of names, {numbers}")?;
            for (origin, recall) in &measured.recall_by_origin {
                writeln!(out, "  {origin:<28} {recall:.4}")?;
            }
        }
        if self.measured.iter().all(|measured| measured.splink.is_none()) {
            writeln!(out, "\nSplink 5 is not installed or was left out: name its Python with --python")?;
        }
        Ok(())
    }
}

const fn numbers(with: bool) -> &'static str {
    if with { "with NHS number" } else { "no NHS number" }
}

/// The rows of one run over the set.
fn links(run: &Measured) -> Vec<Row> {
    let numbers = numbers(run.with_numbers);
    let pick = |with, without| if run.with_numbers { with } else { without };
    let splink = run.splink;
    let wrong_of_sure = run.curve.from_999.wrong as f64 / run.curve.from_999.links.max(1) as f64;
    let named = |what: &str| format!("{numbers}: {what}");
    let mut rows = vec![
        Row::new(named("R@P.999"), run.curve.at_precision_999.recall, AtLeast(pick(0.987, 0.955)))
            .beside(splink.map(|peer| peer.curve.at_precision_999.recall)),
        Row::new(named("best F1 of pairs"), run.curve.best.f1, AtLeast(pick(0.994, 0.982)))
            .beside(splink.map(|peer| peer.curve.best.f1)),
        Row::new(named("F1 of clusters"), run.clusters.f1, Told).beside(splink.map(|peer| peer.clusters.f1)),
        Row::new(named("precision of clusters"), run.clusters.precision, Told)
            .beside(splink.map(|peer| peer.clusters.precision)),
        Row::new(named("recall of clusters"), run.clusters.recall, Told)
            .beside(splink.map(|peer| peer.clusters.recall)),
        Row::new(named("true pairs scored at p ≥ .01"), run.curve.blocked, Told)
            .beside(splink.map(|peer| peer.curve.blocked)),
        Row::new(named("wrong share of links at p ≥ .999"), wrong_of_sure, AtMost(0.001)),
        Row::new(named("questions to stewards, per registration"), run.questions, AtMost(pick(0.01, 0.06))),
        Row::new(named("pairs behind these questions, per registration"), run.review, Told),
        Row::new(named("persons under two verified NHS numbers"), run.under_two_numbers as f64, AtMost(0.0)),
        Row::new(named("bulk with training, wall s"), run.bulk.wall_s, AtMost(8.0))
            .beside(splink.map(|peer| peer.cost.wall_s)),
        Row::new(named("bulk without training, wall s"), run.untrained.wall_s, AtMost(3.0))
            .beside(splink.map(|peer| peer.cost.untrained_wall_s)),
        Row::new(named("bulk with training, processor s"), run.bulk.usage.cpu_s, Told),
        Row::new(named("bulk peak memory, MB"), run.bulk.usage.peak_mb, AtMost(512.0))
            .beside(splink.map(|peer| peer.cost.peak_mb)),
        Row::new(named("trace: recall"), run.trace.recall, AtLeast(0.965)),
        Row::new(named("trace: present people taken for others"), run.trace.wrong, Told),
        Row::new(named("trace: absent people mis-linked"), run.trace.absent_mislinked, AtMost(0.0005)),
    ];
    rows.extend(traps(run));
    rows
}

/// What is asked of traps: their kind, whether numbers are needed for it, the share that is looked at, and its bound.
const ASKED: [(&str, bool, Share, Bound); 22] = [
    ("father_and_son", false, Share::Linked, AtMost(0.0)),
    ("household", false, Share::Linked, AtMost(0.0)),
    ("twins_same_sex", false, Share::Linked, AtMost(0.002)),
    ("twins_mixed", false, Share::Linked, AtMost(0.002)),
    ("overlaid_wrong_person", false, Share::Linked, AtMost(0.0)),
    ("namesakes_bare", false, Share::Linked, AtMost(0.0)),
    ("namesakes", true, Share::Linked, Told),
    ("first_of_january_strangers", true, Share::Linked, Told),
    ("care_home", false, Share::Linked, AtMost(0.0)),
    ("student_hall", false, Share::Linked, AtMost(0.0)),
    ("prison", false, Share::Linked, AtMost(0.0)),
    ("newborn_strangers", false, Share::Linked, AtMost(0.0)),
    ("newborn_twins", true, Share::Linked, AtMost(0.0)),
    ("unidentified", false, Share::Linked, AtMost(0.0)),
    ("adoption", true, Share::Linked, AtMost(0.0)),
    ("empty", false, Share::Linked, AtMost(0.0)),
    ("overlaid_wrong_person", true, Share::None, AtMost(0.0)),
    ("superseded", true, Share::None, AtMost(0.0)),
    ("birth_date_swapped", true, Share::Linked, AtLeast(0.95)),
    ("name_change", true, Share::Linked, AtLeast(0.8)),
    ("name_change", true, Share::None, AtMost(0.05)),
    ("gender_change", true, Share::None, AtMost(0.1)),
];

#[derive(Clone, Copy)]
enum Share {
    Linked,
    None,
}

fn traps(run: &Measured) -> impl Iterator<Item = Row> {
    let numbers = numbers(run.with_numbers);
    let asked = ASKED.into_iter().filter(|(_, needs_numbers, ..)| run.with_numbers || !needs_numbers);
    asked.filter_map(move |(kind, _, share, bound)| {
        let outcome = run.traps.get(kind)?;
        let (word, measured) = match share {
            Share::Linked => ("linked", outcome.linked),
            Share::None => ("lost", outcome.none),
        };
        Some(Row::new(format!("{numbers}: {kind}, {word}"), measured, bound))
    })
}

fn online(search: &Online) -> [Row; 5] {
    let named = |what: &str| format!("search among {} persons: {what}", search.registrations);
    [
        Row::new(named("p50, µs"), search.p50_us, AtMost(10.0)),
        Row::new(named("p99, µs"), search.p99_us, AtMost(50.0)),
        Row::new(named("p99.9, µs"), search.p999_us, Told),
        Row::new(named("memory, bytes a registration"), search.bytes_a_registration, AtMost(300.0)),
        Row::new(named("loading, s"), search.load_s, Told),
    ]
}
