//! `link IN.csv LINKS.csv REPORT.json [--pairs PAIRS.csv] [--train | --model FILE] [--threshold P]`: the offline tool
//! without the broker around it, for measuring.

use severn_linkage::model::Model;
use severn_linkage::offline::{ModelChoice, Options, Outputs, link};
use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|own| own == name).map(|place| arguments[place + 1].clone());
    let model = match value("--model") {
        Some(path) => ModelChoice::Given(Box::new(Model::read(File::open(path)?)?)),
        None if arguments.iter().any(|own| own == "--train") => ModelChoice::Train { seed: 7 },
        None => ModelChoice::BuiltIn,
    };
    let threshold = value("--threshold").map_or(Ok(0.999), |text| text.parse())?;
    let options = Options { model, threshold, threads: 2 };
    let mut links = BufWriter::new(File::create(&arguments[2])?);
    let mut pairs = value("--pairs").map(File::create).transpose()?;
    let outputs = Outputs { links: &mut links, pairs: pairs.as_mut().map(|file| file as &mut dyn std::io::Write) };
    let begun = Instant::now();
    let linked = link(File::open(&arguments[1])?, outputs, &options, &|progress| {
        if !matches!(progress, severn_linkage::offline::Progress::Scored(..) | severn_linkage::offline::Progress::Read(_)) {
            eprintln!("{:.2} s {progress:?}", begun.elapsed().as_secs_f64());
        }
    })?;
    eprintln!("{:.2} s in all", begun.elapsed().as_secs_f64());
    serde_json::to_writer_pretty(File::create(&arguments[3])?, &linked.report)?;
    if let Some(path) = value("--model-out") {
        linked.model.write(File::create(path)?)?;
    }
    Ok(())
}
