//! The table: what was measured, what is asked for, and whether it is met. Pure.

use serde::Serialize;
use std::io::{Result, Write};

/// What is asked of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No less.
    AtLeast(f64),
    /// No more.
    AtMost(f64),
    /// It is told, and nothing is asked.
    Told,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What was measured, with its unit.
    pub what: String,
    /// The figure; none if it could not be measured here.
    pub measured: Option<f64>,
    /// What is asked.
    pub bound: Bound,
    /// Whether it is met; none if nothing is asked or nothing was measured.
    pub met: Option<bool>,
    /// The same of Splink in this run.
    pub splink: Option<f64>,
}

impl Row {
    /// A figure beside what is asked of it.
    pub fn new(what: impl Into<String>, measured: impl Into<Option<f64>>, bound: Bound) -> Row {
        let measured = measured.into();
        let met = measured.and_then(|measured| match bound {
            Bound::AtLeast(least) => Some(measured >= least),
            Bound::AtMost(most) => Some(measured <= most),
            Bound::Told => None,
        });
        Row { what: what.into(), measured, bound, met, splink: None }
    }

    /// With the peer's figure.
    #[must_use]
    pub fn beside(self, splink: Option<f64>) -> Row {
        Row { splink, ..self }
    }
}

/// Prints the rows for people.
///
/// # Errors
/// If `out` cannot be written.
pub fn print(out: &mut impl Write, rows: &[Row]) -> Result<()> {
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), shown);
    writeln!(out, "{:<64} {:>10} {:>11} {:>8} {:>10}", "", "measured", "asked", "", "Splink")?;
    for row in rows {
        let asked = match row.bound {
            Bound::AtLeast(least) => format!("≥ {}", shown(least)),
            Bound::AtMost(most) => format!("≤ {}", shown(most)),
            Bound::Told => String::new(),
        };
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "",
        };
        let (measured, splink) = (figure(row.measured), figure(row.splink));
        writeln!(out, "{:<64} {measured:>10} {asked:>11} {met:>8} {splink:>10}", row.what)?;
    }
    Ok(())
}

/// With as many digits as the size of the figure is worth.
fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        small if small < 0.01 => format!("{value:.5}"),
        share if share < 2.0 => format!("{value:.4}"),
        few if few < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
