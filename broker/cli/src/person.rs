//! Who is meant, from the options of the command line. Says what is missing or wrong, without repeating it.

use crate::dates::{read_birth_date, read_birth_dates};
use clap::Args;
use severn_client::Search;
use severn_proto::v1::{Address, Demographics, HumanName, Sex};
use severn_trust::NhsNumber;
use std::fmt;

/// Options that say who is meant. `Debug` shows nothing.
#[derive(Args, Clone, Default)]
pub(crate) struct PersonArgs {
    /// NHS number, ten digits, spaces allowed; with --born.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) nhs: Option<String>,
    /// Family name, present or former; with --given and --born.
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
    /// Given name.
    #[arg(long, value_name = "NAME")]
    pub(crate) given: Option<String>,
    /// Birth date: 1951-03-31, 31-Mar-1951 or 31/03/1951; to find by name, 1951-03 or 1951 will do, or a span of up to
    /// five years: 1950..1952.
    #[arg(long, value_name = "DATE")]
    pub(crate) born: Option<String>,
    /// Postcode, to narrow a search by name: whole, or its first part, such as B42.
    #[arg(long)]
    pub(crate) postcode: Option<String>,
    /// Telephone number, to narrow a search by name.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) phone: Option<String>,
    /// Sex, to narrow a search by name: female, male, other.
    #[arg(long)]
    pub(crate) sex: Option<String>,
    /// A source's id; with --local-id.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// The person's identifier within that source.
    #[arg(long, value_name = "ID")]
    pub(crate) local_id: Option<String>,
}

impl fmt::Debug for PersonArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonArgs(…)")
    }
}

/// What is wrong with the options, and what to do.
pub(crate) type Unclear = String;

impl PersonArgs {
    /// The one search that the options mean.
    pub(crate) fn search(&self) -> Result<Search, Unclear> {
        let by_number = self.nhs.is_some();
        let by_local_id = self.source.is_some() || self.local_id.is_some();
        let name = [&self.family, &self.given, &self.postcode, &self.phone, &self.sex];
        let by_name = name.iter().any(|option| option.is_some());
        match (by_number, by_local_id, by_name) {
            (true, false, false) => self.by_number(),
            (false, true, false) => self.by_local_id(),
            (false, false, true) => self.by_name(),
            (false, false, false) => {
                Err("say who is meant: --nhs with --born, or --family --given --born, or --source with --local-id"
                    .into())
            }
            _ => Err("search by one thing: --nhs, or a name, or --source with --local-id; not by several".into()),
        }
    }

    /// What the options say of a person whose enterprise id is known already: enough to know them by.
    pub(crate) fn demographics(&self) -> Result<Demographics, Unclear> {
        let known_by_name = self.family.is_some() && self.born.is_some();
        if self.nhs.is_none() && !known_by_name {
            return Err("say who is meant, so that no other person can be shown: --nhs, or --family with --born".into());
        }
        self.said()
    }

    /// Whatever the options say, checked; possibly nothing.
    pub(crate) fn said(&self) -> Result<Demographics, Unclear> {
        let mut person = Demographics::default();
        if let Some(nhs) = &self.nhs {
            person.nhs_number = read_nhs(nhs)?;
        }
        if self.born.is_some() {
            person.birth_date = self.birth_date("")?;
        }
        if self.family.is_some() || self.given.is_some() {
            let name = HumanName {
                family: self.family.clone().unwrap_or_default(),
                given: self.given.clone().into_iter().collect(),
                ..HumanName::default()
            };
            person.names.push(name);
        }
        if let Some(postcode) = &self.postcode {
            person.addresses.push(Address { postcode: postcode.clone(), ..Address::default() });
        }
        person.sex = self.read_sex()?.into();
        Ok(person)
    }

    fn by_number(&self) -> Result<Search, Unclear> {
        let nhs = self.nhs.as_deref().unwrap_or_default();
        let birth_date = self.birth_date("--nhs needs --born: a number alone could be a slip of the hand")?;
        Ok(Search::NhsNumber { nhs_number: read_nhs(nhs)?, birth_date })
    }

    fn by_local_id(&self) -> Result<Search, Unclear> {
        let (Some(source_id), Some(local_id)) = (self.source.clone(), self.local_id.clone()) else {
            return Err(
                "--source and --local-id go together: an identifier means something in its own source only".into()
            );
        };
        Ok(Search::LocalId { source_id, local_id })
    }

    fn by_name(&self) -> Result<Search, Unclear> {
        let said = |option: &Option<String>| option.clone().unwrap_or_default();
        let needs =
            "a search by name needs --family or --given, better both, and --born, or --phone or --postcode instead";
        if self.family.is_none() && self.given.is_none() {
            return Err(needs.into());
        }
        if self.born.is_none() && self.phone.is_none() && self.postcode.is_none() {
            return Err(needs.into());
        }
        let birth_date = self.born.as_deref().map(|born| {
            read_birth_dates(born).ok_or(
                "--born is no date; write 1951-03-31, 31-Mar-1951 or 31/03/1951, or 1951-03 or 1951, or 1950..1952",
            )
        });
        Ok(Search::Demographics {
            family: said(&self.family),
            given: said(&self.given),
            birth_date: birth_date.transpose()?.unwrap_or_default(),
            sex: self.read_sex()?,
            postcode: said(&self.postcode),
            phone: said(&self.phone),
        })
    }

    fn birth_date(&self, missing: &str) -> Result<String, Unclear> {
        let born = self.born.as_deref().ok_or(missing)?;
        read_birth_date(born)
            .ok_or_else(|| "--born is no whole date; write 1951-03-31, 31-Mar-1951 or 31/03/1951".into())
    }

    fn read_sex(&self) -> Result<Sex, Unclear> {
        match self.sex.as_deref() {
            None => Ok(Sex::Unspecified),
            Some("female") => Ok(Sex::Female),
            Some("male") => Ok(Sex::Male),
            Some("other") => Ok(Sex::Other),
            Some(_) => Err("--sex is female, male or other; leave it out if it is not known".into()),
        }
    }
}

fn read_nhs(text: &str) -> Result<String, Unclear> {
    NhsNumber::parse(text).map(NhsNumber::digits).map_err(|error| format!("--nhs: {error}"))
}

/// What was typed, and beside it what the broker knows of the person that was found: what is typed prevails.
pub(crate) fn meant(typed: &Demographics, golden: &Demographics) -> Demographics {
    let mut person = golden.clone();
    // A number that was replaced means the same person; those who hold its successor know them by that.
    if !typed.nhs_number.is_empty() && !golden.replaced_nhs_numbers.contains(&typed.nhs_number) {
        person.nhs_number.clone_from(&typed.nhs_number);
    }
    if !typed.birth_date.is_empty() {
        person.birth_date.clone_from(&typed.birth_date);
    }
    if typed.names.iter().any(|name| !name.family.is_empty()) {
        person.names.clone_from(&typed.names);
    }
    person
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(options: &[(&str, &str)]) -> PersonArgs {
        let mut args = PersonArgs::default();
        for (name, value) in options {
            let slot = match *name {
                "nhs" => &mut args.nhs,
                "family" => &mut args.family,
                "given" => &mut args.given,
                "born" => &mut args.born,
                "postcode" => &mut args.postcode,
                "phone" => &mut args.phone,
                "sex" => &mut args.sex,
                "source" => &mut args.source,
                _ => &mut args.local_id,
            };
            *slot = Some((*value).to_owned());
        }
        args
    }

    #[test]
    fn each_way_to_search_is_understood() {
        let nhs = args(&[("nhs", "943 476 5919"), ("born", "03/02/1951")]).search();
        let expected = Search::NhsNumber { nhs_number: "9434765919".into(), birth_date: "1951-02-03".into() };
        assert_eq!(nhs, Ok(expected));
        let local = args(&[("source", "RNA"), ("local-id", "7")]).search();
        assert_eq!(local, Ok(Search::LocalId { source_id: "RNA".into(), local_id: "7".into() }));
        let name = args(&[("family", "Briggs"), ("given", "Alice"), ("born", "3-Feb-1951"), ("sex", "female")]);
        assert!(matches!(name.search(), Ok(Search::Demographics { sex: Sex::Female, .. })));
        let part = args(&[("family", "Briggs"), ("given", "Alice"), ("born", "1951"), ("phone", "0121 496 0000")]);
        let expected = |search: &Search| matches!(search, Search::Demographics { birth_date, phone, .. } if birth_date == "1951" && phone == "0121 496 0000");
        assert!(part.search().is_ok_and(|search| expected(&search)));
        let span = args(&[("given", "Alice"), ("born", "02/1950..1952"), ("postcode", "B42")]).search();
        let expected = |search: &Search| matches!(search, Search::Demographics { birth_date, family, .. } if birth_date == "1950-02/1952" && family.is_empty());
        assert!(span.as_ref().is_ok_and(expected), "{span:?}");
    }

    #[test]
    fn mistakes_are_said_clearly_and_not_repeated() {
        for (options, message) in [
            (&[][..], "say who is meant"),
            (&[("nhs", "9434765919")], "--nhs needs --born"),
            (&[("nhs", "9434765918"), ("born", "1951-02-03")], "check digit"),
            (&[("nhs", "943"), ("born", "1951-02-03")], "ten digits"),
            (&[("nhs", "9434765919"), ("born", "1951")], "no whole date"),
            (&[("nhs", "9434765919"), ("born", "1951-02-31")], "no whole date"),
            (&[("nhs", "9434765919"), ("family", "Briggs")], "not by several"),
            (&[("born", "1951-02-03"), ("sex", "female")], "needs --family or --given"),
            (&[("family", "Briggs"), ("given", "Alice")], "and --born, or --phone"),
            (&[("family", "Briggs"), ("given", "Alice"), ("born", "1951..tomorrow")], "is no date"),
            (&[("family", "B"), ("given", "A"), ("born", "1951-02-03"), ("sex", "x")], "female, male or other"),
            (&[("family", "Briggs"), ("given", "Alice"), ("born", "last year")], "is no date"),
            (&[("postcode", "DY1 1AA")], "needs --family"),
            (&[("phone", "0121 496 0000")], "needs --family"),
            (&[("source", "RNA")], "go together"),
            (&[("born", "1951-02-03")], "say who is meant"),
        ] {
            let error = args(options).search().unwrap_err();
            assert!(error.contains(message), "{options:?}: {error}");
            assert!(!error.contains("9434765"), "{error}");
        }
        assert!(args(&[("family", "Briggs")]).demographics().unwrap_err().contains("--family with --born"));
        assert!(args(&[("nhs", "9434765919")]).demographics().is_ok());
    }

    #[test]
    fn what_is_typed_prevails_over_what_was_found() {
        let golden = args(&[("nhs", "9434765919"), ("family", "Smith"), ("born", "1951-02-03")]).said().unwrap();
        let typed = args(&[("family", "Briggs")]).said().unwrap();
        let meant = meant(&typed, &golden);
        assert_eq!((meant.names[0].family.as_str(), meant.nhs_number.as_str()), ("Briggs", "9434765919"));
    }

    #[test]
    fn who_is_found_by_a_number_that_was_replaced_is_meant_by_its_successor() {
        let golden = Demographics {
            replaced_nhs_numbers: vec!["9990000018".into()],
            ..args(&[("nhs", "9434765919"), ("born", "1951-02-03")]).said().unwrap()
        };
        let typed = args(&[("nhs", "999 000 0018")]).said().unwrap();
        assert_eq!(meant(&typed, &golden).nhs_number, "9434765919");
    }
}
