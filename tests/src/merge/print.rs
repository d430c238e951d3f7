//! The tables of `merge-report`. Pure.

use super::{
    peer::Loss,
    score::{Line, Score, share},
    speed::{Cost, RATIO_MAX},
};
use std::io::{Result, Write};

/// What the columns count.
const ABOUT: &str = "\
Grouping, on made-up entries whose truth is known. Asked in every dataset: precision 1.000, recall 0.950.
Recall: of pairs of one statement that share a code or an origin identifier and say the same, how many are one item.
Of truth: the same, whatever a route left out or changed, without what was withdrawn; nothing is asked of it.
Possibly: of pairs of one statement that lack something to be sure, how many name each other.
Conflicts: of pairs that contradict each other, how many are marked under the rule meant.";

/// Prints how well each dataset is grouped.
///
/// # Errors
/// If `out` cannot be written.
pub fn corpus(out: &mut impl Write, lines: &[Line]) -> Result<()> {
    writeln!(out, "{ABOUT}\n")?;
    let columns =
        ["entries", "pairs", "precision", "recall", "of pairs", "of truth", "possibly", "of pairs", "conflicts", "of"];
    write!(out, "{:<25}", "")?;
    columns.iter().try_for_each(|column| write!(out, "{column:>10}"))?;
    writeln!(out)?;
    let mut all = Score::default();
    for Line { dataset, score } in lines {
        all += *score;
        row(out, dataset, score)?;
    }
    row(out, "all", &all)
}

fn row(out: &mut impl Write, name: &str, score: &Score) -> Result<()> {
    let possibly = share(score.possibly_found, score.possibly);
    let of_truth = figure(share(score.of_truth_joined, score.of_truth));
    let (recall, possibly) = (figure(score.recall()), figure(possibly));
    write!(out, "{name:<25}{:>10}{:>10}{:>10.3}", score.entries, score.pairs, score.precision())?;
    write!(out, "{recall:>10}{:>10}{of_truth:>10}{possibly:>10}{:>10}", score.sharing, score.possibly)?;
    write!(out, "{:>10}{:>10}", score.conflicts_found, score.conflicts)?;
    writeln!(out, "{}", if score.is_met() { "" } else { "  NOT MET" })
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.3}"))
}

/// Prints what other keys lose on the same entries, and what is lost here.
///
/// # Errors
/// If `out` cannot be written.
pub fn losses(out: &mut impl Write, losses: &[Loss], lines: &[Line]) -> Result<()> {
    writeln!(
        out,
        "\nKeys like Metriport's, on the same entries: our reading of the titles of its public tests, not a result of"
    )?;
    writeln!(
        out,
        "its product. Here nothing is lost or suppressed, and nothing withdrawn reads as active: that is checked.\n"
    )?;
    let columns = ["entries", "lost", "wrongly joined", "(here)", "withdrawn active", "none known lost"];
    write!(out, "{:<25}", "")?;
    columns.iter().try_for_each(|column| write!(out, "{column:>18}"))?;
    writeln!(out)?;
    for loss in losses {
        let own = lines.iter().find(|line| line.dataset == loss.dataset).map_or(0, |line| line.score.wrongly_joined);
        write!(out, "{:<25}{:>18}{:>18}{:>18}{own:>18}", loss.dataset, loss.entries, loss.lost, loss.wrongly_joined)?;
        writeln!(out, "{:>18}{:>18}", loss.retracted_as_active, loss.absences_suppressed)?;
    }
    Ok(())
}

/// Prints what merging costs.
///
/// # Errors
/// If `out` cannot be written.
pub fn costs(out: &mut impl Write, costs: &[Cost]) -> Result<()> {
    writeln!(
        out,
        "\nCPU time of one thread for each of 10,000 entries, and the whole beside ten records of 1,000 entries"
    )?;
    writeln!(out, "(asked: under {RATIO_MAX}):\n")?;
    for cost in costs {
        let missed = if cost.ratio < RATIO_MAX { "" } else { "  NOT MET" };
        writeln!(out, "{:<25}{:>10.0} ns{:>10.2}{missed}", cost.entries, cost.ns_per_entry, cost.ratio)?;
    }
    Ok(())
}
