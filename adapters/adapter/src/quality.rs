//! Prints what the broker's index found in this source's registrations, for the owner's own eyes.

use crate::{
    arguments::QualityArguments,
    config::Config,
    run::{CONNECT_MAX, own_tls},
};
use severn_adapter_sdk::quality::own_quality;
use severn_link::TlsDialler;
use severn_proto::v1::{QualityRate, QualityReport};
use std::io::Write;

/// Asks the broker and prints its answer.
///
/// # Errors
/// If the broker gives none, or `out` cannot be written.
pub(crate) async fn quality(config: &Config, asked: &QualityArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let dialler = TlsDialler::new(own_tls(config)?, CONNECT_MAX);
    let report = own_quality(&dialler, &config.broker.address, &config.broker.identity()).await?;
    print(&report, usize::from(asked.ids), out)
}

fn print(report: &QualityReport, ids: usize, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}: {} registrations known to the index\n", report.source_id, report.registrations)?;
    for rate in report.rates.iter().filter(|rate| rate.count > 0) {
        let share = rate.count as f64 * 100.0 / rate.of.max(1) as f64;
        writeln!(out, "{:<32} {:>9} of {:>9}  {share:6.2}%", words(rate), rate.count, rate.of)?;
        for local_id in rate.local_ids.iter().take(ids) {
            writeln!(out, "    {}", local_id.replace(char::is_control, " "))?;
        }
    }
    match report.rates.iter().any(|rate| rate.count > 0) {
        true => Ok(()),
        false => Ok(writeln!(out, "Nothing was found.")?),
    }
}

/// "nhs number missing".
fn words(rate: &QualityRate) -> String {
    let name = rate.finding().as_str_name();
    name.strip_prefix("QUALITY_FINDING_").unwrap_or(name).replace('_', " ").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_proto::v1::QualityFinding;

    #[test]
    fn an_owner_sees_rates_and_as_many_local_ids_as_were_asked_for() {
        let rate = |finding: QualityFinding, count, of| QualityRate {
            finding: finding.into(),
            count,
            of,
            local_ids: vec!["7".into(), "8\u{1b}[2J".into(), "9".into()],
        };
        let rates = vec![rate(QualityFinding::NhsNumberMissing, 3, 12), rate(QualityFinding::SexUnknown, 0, 12)];
        let report = QualityReport { source_id: "GP1".into(), registrations: 12, at_ms: 0, rates };
        let mut out = Vec::new();
        print(&report, 2, &mut out).unwrap();
        let expected = "\
GP1: 12 registrations known to the index

nhs number missing                       3 of        12   25.00%
    7
    8 [2J
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        print(&QualityReport { rates: vec![], ..report }, 2, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("Nothing was found.\n"));
    }
}
