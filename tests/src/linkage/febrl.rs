//! FEBRL 4: 5,000 made-up Australians and one duplicate of each. A smoke test, linked without its social security
//! number and with nothing tuned on it.

use super::{
    child,
    engine::Bulk,
    output,
    quality::Point,
    truth::{Truth, rows},
};
use crate::people;
use anyhow::Result;
use serde::Serialize;
use std::path::Path;

/// How it went.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Febrl {
    /// Pairs of an original and a duplicate from a probability of .95 upwards.
    pub from_95: Point,
}

const COLUMNS: [&str; 10] = [
    "rec_id",
    "given_name",
    "surname",
    "date_of_birth",
    "postcode",
    "street_number",
    "address_1",
    "address_2",
    "suburb",
    "state",
];

/// Links the two files that stand in `data`; writes only into `folder`.
///
/// # Errors
/// If a file cannot be read or written, or the engine fails.
pub fn measure(data: &Path, folder: &Path) -> Result<Febrl> {
    std::fs::create_dir_all(folder)?;
    let file = |name: &str| folder.join(name);
    let (registrations, known, superseded) = (file("people.csv"), file("truth.csv"), file("superseded.csv"));
    let mut out = csv::Writer::from_path(&registrations)?;
    let mut truth = csv::Writer::from_path(&known)?;
    out.write_record(people::COLUMNS.split(','))?;
    truth.write_record(["source", "local_id", "person_id", "name_origin"])?;
    for source in ["dataset4a", "dataset4b"] {
        for row in rows(&data.join(format!("{source}.csv")), COLUMNS)? {
            let row = row?;
            let [id, given, family, born, postcode, address @ ..] = row.each_ref().map(|value| value.trim());
            // The whole address but its postcode, as Splink is given it.
            let lines: Vec<&str> = address.into_iter().filter(|line| !line.is_empty()).collect();
            let line1 = lines.join(" ");
            out.write_record([source, id, "", "", given, "", family, born, "", &line1, postcode, "", "", ""])?;
            // The name is `rec-1070-org` or `rec-1070-dup-0`.
            let person = id.split('-').nth(1).unwrap_or(id);
            truth.write_record([source, id, person, "all"])?;
        }
    }
    out.flush()?;
    truth.flush()?;
    std::fs::write(&superseded, "old,new\n")?;
    let (model, links) = (file("model.json"), file("links.csv"));
    let _ = std::fs::remove_file(&model);
    let _: Bulk = child::run("bulk", &[&registrations, &model, &links])?;
    let (pairs, reviews) = (file("pairs.csv"), file("reviews.csv"));
    let _: usize = child::run("inspect", &[&registrations, &superseded, &model, &pairs, &links, &reviews])?;
    let truth = Truth::read(&known)?;
    let half = truth.registrations() as u32 / 2;
    let across = |pair: &super::quality::Scored| (pair.a < half) != (pair.b < half);
    let sure: Vec<_> = output::pairs(&pairs, &truth)?;
    let sure: Vec<_> = sure.into_iter().filter(|pair| pair.probability >= 0.95 && across(pair)).collect();
    let right = sure.iter().filter(|pair| truth.same(pair.a, pair.b)).count() as u64;
    let pairs = truth.pairs_by_group().iter().sum();
    Ok(Febrl { from_95: Point::new(0.95, sure.len() as u64, right, pairs) })
}
