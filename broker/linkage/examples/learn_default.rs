//! `learn_default PEOPLE.csv TRUTH.csv DATE`: learns the model that ships with Severn (`data/default_uk.json`) on made-up
//! people, without their truth, and then measures with it what the scores were worth. The people are those of the
//! workspace's crate `tests` (`people`, seed 20261, 1,000,000 registrations): nobody's own data stands in the file.

use severn_linkage::model::{Model, ModelFile, Reliability};
use severn_linkage::offline::{ModelChoice, Options, Outputs, link};
use severn_linkage::superseded::Superseded;
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;

/// A name that these people lack may still be a common one: it is taken for as common as this.
const OTHER_NAME_SHARE: f64 = 2e-5;
/// Where the bands of the reliability table begin.
const BANDS: [f64; 8] = [0.0, 0.1, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, people, truth, date] = &arguments[..] else { return Err("give PEOPLE.csv TRUTH.csv DATE".into()) };
    let options = Options {
        model: ModelChoice::Train { seed: 20261 },
        threshold: 0.999,
        threads: 2,
        superseded: Superseded::default(),
    };
    let (mut links, mut pairs) = (Vec::new(), Vec::new());
    let outputs = Outputs { links: &mut links, pairs: Some(&mut pairs) };
    let linked = link(File::open(people)?, outputs, &options, &|_| ())?;
    let mut file: ModelFile = linked.model.file().clone();
    file.version = format!("uk-{date}");
    file.trained.on = "made-up people of the United Kingdom: severn's tests, people, seed 20261".into();
    file.reliability = reliability(&pairs, truth)?;
    for names in [&mut file.frequencies.given, &mut file.frequencies.family] {
        names.other = names.other.max(OTHER_NAME_SHARE);
    }
    // Made-up telephone numbers and houses are nobody's.
    file.frequencies.house.common.clear();
    file.frequencies.phone.common.clear();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/default_uk.json");
    Model::from_file(file)?.write(File::create(path)?)?;
    Ok(())
}

fn reliability(pairs: &[u8], truth: &str) -> Result<Vec<Reliability>, Box<dyn Error>> {
    let mut person: HashMap<String, String> = HashMap::new();
    for row in csv::Reader::from_path(truth)?.records() {
        let row = row?;
        person.insert(format!("{},{}", &row[0], &row[1]), row[2].to_owned());
    }
    let mut bands = BANDS.map(|from| Reliability { from, pairs: 0, right: 0 });
    for row in csv::Reader::from_reader(pairs).records() {
        let row = row?;
        let probability: f64 = row[4].parse()?;
        let same = person[&format!("{},{}", &row[0], &row[1])] == person[&format!("{},{}", &row[2], &row[3])];
        if let Some(band) = bands.iter_mut().rev().find(|band| probability >= band.from) {
            band.pairs += 1;
            band.right += u64::from(same);
        }
    }
    Ok(bands.into())
}
