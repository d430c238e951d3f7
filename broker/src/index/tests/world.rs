//! An index without store and tasks, for histories by the thousands: what is asked is planned, and what is planned is
//! applied.

use super::{facts::opt_out, *};
use crate::index::{
    decide::Row,
    load::plan_load,
    plan::{Announced, Means, Planned, plan_announced, plan_change, plan_decision},
    state::{Decided, State},
    upkeep::{Upkeep, plan_upkeep},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::LazyLock};

/// What can happen to an index.
#[derive(Clone, Debug)]
pub enum Step {
    Register(usize, Said),
    Withdraw(usize),
    Link(usize, usize),
    Unlink(usize),
    TellApart(usize, usize),
    Supersede(usize, usize),
    TakeModel(usize),
    OptOut(usize),
}

/// What a registration says.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    number: usize,
    verified: bool,
    given: usize,
    born: usize,
    home: usize,
}

pub const PLACES: [&str; 8] = ["A/1", "A/2", "A/3", "B/1", "B/2", "C/1", "C/2", "C/3"];

/// Numbers that registrations give; the last is none.
const NUMBERS: [&str; 5] = ["", ANNA, BETH, "9990000026", "rubbish"];

static MODELS: LazyLock<[ScoringModel; 3]> = LazyLock::new(|| {
    let strict = ScoringModel::changed("strict", |file| file.classes.population *= 1e6);
    let lax = ScoringModel::changed("lax", |file| file.thresholds.automatic_min = 0.9);
    [ScoringModel::built_in(), strict, lax]
});

pub fn demographics(said: Said) -> Demographics {
    Demographics {
        nhs_number_verified: said.verified,
        birth_date: ["1980-02-01", "1980-02-01", "1990-03-03", "1980", "1980-01-02"][said.born].into(),
        addresses: vec![Address { postcode: ["B15 2TH", "LS6 2AB"][said.home].into(), ..Address::default() }],
        ..numbered(NUMBERS[said.number], ["Anna", "Beth", "Annie"][said.given])
    }
}

pub fn said() -> impl Strategy<Value = Said> {
    (0..NUMBERS.len(), any::<bool>(), 0..3_usize, 0..5_usize, 0..2_usize)
        .prop_map(|(number, verified, given, born, home)| Said { number, verified, given, born, home })
}

fn place() -> std::ops::Range<usize> {
    0..PLACES.len()
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (place(), said()).prop_map(|(place, said)| Step::Register(place, said)),
        1 => place().prop_map(Step::Withdraw),
        2 => (place(), place()).prop_map(|(a, b)| Step::Link(a, b)),
        2 => place().prop_map(Step::Unlink),
        1 => (place(), place()).prop_map(|(a, b)| Step::TellApart(a, b)),
        1 => (1..4_usize, 1..4_usize).prop_map(|(old, new)| Step::Supersede(old, new)),
        1 => (0..MODELS.len()).prop_map(Step::TakeModel),
        1 => place().prop_map(Step::OptOut),
    ]
}

pub struct World {
    pub state: State,
    pub events: Vec<Event>,
    clock: TestClock,
    entropy: TestEntropy,
}

impl World {
    pub fn new() -> World {
        let clock = TestClock(AtomicI64::new(NOW_MS));
        let entropy = TestEntropy(AtomicI64::new(1 << 32));
        World { state: State::default(), events: Vec::new(), clock, entropy }
    }

    /// Carries out a step; what is refused changes nothing.
    pub fn take(&mut self, step: &Step) {
        let planned = match step {
            Step::Register(place, said) => self.announced(*place, registered(PLACES[*place], &demographics(*said))),
            Step::Withdraw(place) => self.announced(*place, withdrawn(PLACES[*place])),
            Step::Link(a, b) => self.decided(&Decided::Link(at(PLACES[*a]), at(PLACES[*b]))),
            Step::Unlink(place) => self.decided(&Decided::Unlink(at(PLACES[*place]))),
            Step::TellApart(a, b) => self.decided(&Decided::TellApart(at(PLACES[*a]), at(PLACES[*b]))),
            Step::Supersede(old, new) => {
                let numbers = [*old, *new].map(|number| NhsNumber::parse(NUMBERS[number]).unwrap());
                self.upkeep(&Upkeep::Superseded(vec![numbers], "S1".into(), "the national list".into()))
            }
            Step::TakeModel(model) => self.upkeep(&Upkeep::Model(MODELS[*model].clone())),
            Step::OptOut(place) => self.opted_out(*place),
        };
        let planned = match planned {
            Ok(planned) => planned,
            Err(
                IndexError::Conflict(_)
                | IndexError::UnknownRegistration
                | IndexError::Invalid { .. }
                | IndexError::Facts(FactsError::UnknownPerson),
            ) => return,
            Err(other) => panic!("{other}"),
        };
        self.apply(planned);
    }

    /// Takes registrations as a load does.
    pub fn load(&mut self, registrations: impl Iterator<Item = (usize, Said)>) {
        let lines = registrations.map(|(place, said)| match registered(PLACES[place], &demographics(said)) {
            Change::Registered(registration) => LoadedLine { line: place as u64, registration },
            _ => unreachable!("it is registered"),
        });
        let planned = plan_load(&self.state, &lines.collect::<Vec<_>>(), self.means());
        assert_eq!(planned.refusals, []);
        self.apply(planned);
    }

    fn apply(&mut self, planned: Planned) {
        for about in planned.events {
            let sequence = self.events.len() as u64 + 1;
            let event = Event { sequence, at_ms: NOW_MS + sequence.cast_signed(), about };
            self.state.apply(&event);
            self.events.push(event);
        }
        planned.feed.iter().for_each(|feed| self.state.apply_feed(feed));
    }

    fn announced(&self, place: usize, change: Change) -> Result<Planned, IndexError> {
        let source = at(PLACES[place]).source;
        let position = self.state.feeds().get(&source).and_then(|feed| feed.position);
        let announcements =
            vec![FeedAnnounce { cursor: position.map_or(1, |(_, cursor)| cursor + 1), change: Some(change) }];
        plan_announced(&self.state, &Announced { source, epoch: EPOCH, announcements }, self.means())
    }

    fn decided(&self, decided: &Decided) -> Result<Planned, IndexError> {
        plan_decision(&self.state, decided, &decision(self.events.len() as u128 + 1))
    }

    fn upkeep(&self, upkeep: &Upkeep) -> Result<Planned, IndexError> {
        plan_upkeep(&self.state, upkeep, self.means())
    }

    fn opted_out(&self, place: usize) -> Result<Planned, IndexError> {
        let person = self.id(place).unwrap_or(EnterpriseId(Uuid::nil()));
        let key = Uuid::from_u128(self.events.len() as u128 + 1);
        plan_change(&self.state, &opt_out(key.as_u128(), person), NOW_MS)
    }

    /// The directives of a registration's person.
    pub fn directives(&self, place: usize) -> BTreeSet<Uuid> {
        let of = self.id(place).and_then(|person| self.state.directives(person)).unwrap_or_default();
        of.into_iter().map(|directive| directive.id).collect()
    }

    fn means(&self) -> Means<'_> {
        Means { clock: &self.clock, entropy: &self.entropy }
    }

    pub fn row(&self, place: usize) -> Option<Row> {
        self.state.find(&at(PLACES[place]))
    }

    /// Whether its source changed a registration into somebody else.
    pub fn is_suspended(&self, place: usize) -> bool {
        self.row(place).is_some_and(|row| self.state.is_suspended(row))
    }

    /// The id by which a registration's person goes.
    pub fn id(&self, place: usize) -> Option<EnterpriseId> {
        self.row(place).and_then(|row| self.state.id_of(row))
    }

    /// Who is with whom.
    pub fn partition(&self) -> BTreeSet<Vec<String>> {
        let person = |place| self.state.person_at(self.row(place)?);
        let persons = (0..PLACES.len()).filter_map(person);
        persons
            .map(|person| person.located.iter().map(|l| format!("{}/{}", l.source, l.local_id.0)).collect())
            .collect()
    }

    /// What a human is asked, and the score: the two registrations by name.
    pub fn reviews(&self) -> BTreeSet<(Vec<String>, String, u64)> {
        let name = |r: &Option<Registration>| {
            let r = r.as_ref().unwrap();
            format!("{}/{}", r.source_id, r.local_id.as_ref().unwrap().value)
        };
        let told = self.state.review_queue(100, &[], NOW_MS).pairs.into_iter().map(|pair| {
            let mut names = vec![name(&pair.a), name(&pair.b)];
            names.sort();
            (names, pair.why, pair.bits.to_bits())
        });
        told.collect()
    }

    /// Every id there ever was: whose it is, under which id they go, and what is known of them.
    pub fn who_is_who(&self) -> String {
        let person =
            |id: EnterpriseId| self.state.person(id).map(|p| (p.id.to_string(), p.golden, format!("{:?}", p.located)));
        self.ids().into_iter().map(|id| format!("{id} {:?}\n", person(id))).collect()
    }

    fn ids(&self) -> BTreeSet<EnterpriseId> {
        let announced = self.events.iter().filter_map(Event::registration).filter_map(|(_, what)| match what {
            What::Registered { person, .. } | What::Changed { person, .. } => Some(*person),
            _ => None,
        });
        announced.collect()
    }

    /// Everything that can be asked, about everybody who ever was.
    pub fn told(&self) -> String {
        let known = self.state.feeds().iter().map(|(source, feed)| (source, feed.registrations, feed.unusable_numbers));
        let known: Vec<_> = known.filter(|(_, registrations, _)| *registrations > 0).collect();
        let mut all = format!("{:?}\n{known:?}\n", self.state.review_queue(100, &[], NOW_MS));
        for id in self.ids() {
            let person =
                self.state.person(id).map(|person| (person.id.to_string(), person.golden, person.located.len()));
            all += &format!("{id} {person:?} {:?}\n", self.state.history(id));
        }
        all
    }
}
