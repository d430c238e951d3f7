//! One run: a world from a seed, and queries while it changes. A query that overlaps a change must be answered as before
//! it or as after it, as a whole; one that begins after the change is done, as after it.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use super::{
    compare::{Difference, differences},
    dice::Dice,
    generate::{HOT, Size, query, relationships, world},
    judge::Tally,
    model::{DirectiveModel, Known, Model, Query, today},
    system::System,
    words::{Effect, Fact, RuleSet},
};
use futures::future::join_all;
use severn_proto::v1::{DirectiveKind, PurposeOfUse};
use severn_trust::Clock as _;
use std::{collections::BTreeMap, time::Duration};

/// How many queries are under way at once, beside a change or after it.
const AT_ONCE: usize = 8;

/// How often a rule must have applied, and how often not.
pub const DECIDES_MIN: u64 = 100;

/// Queries by which idle rules are found before a run, and how often of them a rule must apply, and not apply, to stay.
const TRIALS: usize = 1_000;
const TRIED_MIN: u64 = 100;

/// Differences after which a run ends.
const DIFFERENCES_MAX: usize = 10;

/// A fault planted in the real system, for the oracle to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// None.
    Nothing,
    /// The region's first rule that forbids is lost.
    LosesAForbid,
    /// Every owner's rules that forbid are lost.
    OwnersForbidNothing,
    /// Permits hold for every label.
    IgnoresLabels,
    /// Nothing is hidden.
    HidesNothing,
    /// What people wish is not entered.
    IgnoresDirectives,
    /// Withdrawals are not made: too much is kept back.
    KeepsDirectives,
    /// Changed rules are not put in force.
    IgnoresEdits,
    /// Relationships never end.
    RelationshipsNeverEnd,
    /// Nobody is restricted.
    RestrictsNobody,
}

impl Planted {
    /// Every fault.
    pub const ALL: [Planted; 9] = [
        Planted::LosesAForbid,
        Planted::OwnersForbidNothing,
        Planted::IgnoresLabels,
        Planted::HidesNothing,
        Planted::IgnoresDirectives,
        Planted::KeepsDirectives,
        Planted::IgnoresEdits,
        Planted::RelationshipsNeverEnd,
        Planted::RestrictsNobody,
    ];

    fn rules(self, rules: &RuleSet) -> RuleSet {
        let (mut rules, forbids) = (rules.clone(), |effect| matches!(effect, Effect::Forbid(_)));
        match self {
            Planted::LosesAForbid if rules.owner == "region" => {
                let first = rules.rules.iter().position(|rule| forbids(rule.effect));
                first.map(|first| rules.rules.remove(first));
            }
            Planted::OwnersForbidNothing if rules.owner != "region" => rules.rules.retain(|rule| !forbids(rule.effect)),
            Planted::IgnoresLabels => {
                let permits = rules.rules.iter_mut().filter(|rule| rule.effect == Effect::Permit);
                permits.for_each(|rule| rule.when.retain(|fact| !matches!(fact, Fact::Label(_))));
            }
            Planted::HidesNothing => rules.rules.retain(|rule| rule.effect != Effect::Hide),
            _ => {}
        }
        rules
    }

    fn known(self, known: &Known) -> Known {
        let mut known = known.clone();
        match self {
            Planted::RelationshipsNeverEnd => {
                known.relationships.iter_mut().flatten().for_each(|said| said.until.clear());
            }
            Planted::RestrictsNobody => known.demographics.restricted = false,
            _ => {}
        }
        known
    }

    /// The world as the real system is told of it.
    fn world(self, model: &Model) -> Model {
        let mut real = model.clone();
        real.region = self.rules(&real.region);
        real.owners.values_mut().for_each(|rules| *rules = self.rules(rules));
        real.people.iter_mut().flat_map(|person| person.at.values_mut()).for_each(|known| *known = self.known(known));
        real
    }
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Ran {
    /// Queries asked.
    pub queries: u64,
    /// Changes made, by what they changed.
    pub changes: BTreeMap<&'static str, u64>,
    /// How often each rule applied, and how often not.
    pub tally: Tally,
    /// Where the real system and the oracle differ: the query, in words, and how.
    pub differences: Vec<(String, Difference)>,
}

impl Ran {
    /// Rules that applied, or did not apply, too rarely to have been tried: owner, rule, how often not and how often.
    pub fn untried(&self) -> Vec<(&str, &str, [u64; 2])> {
        let rarely = self.tally.iter().filter(|(_, counts)| counts.iter().any(|count| *count < DECIDES_MIN));
        rarely.map(|((owner, rule), counts)| (owner.as_str(), rule.as_str(), *counts)).collect()
    }
}

/// Runs the world of `seed`.
pub async fn run(seed: u64, size: Size, queries: u64, planted: Planted) -> Ran {
    let dice = Dice::new(seed);
    let began_ms = crate::keys::TokioClock::start().now_ms();
    let mut model = world(&dice, size, began_ms);
    leave_out_idle_rules(&dice, &mut model, began_ms);
    let system = System::start(&planted.world(&model)).await;
    let mut run =
        Run { whole: model.clone(), dice, model, system, planted, ran: Ran::default(), glasses: 0, goal: queries };
    while run.ran.differences.len() < DIFFERENCES_MAX
        && (run.ran.queries < queries || (run.ran.queries < queries * 2 && !run.ran.untried().is_empty()))
    {
        run.step().await;
    }
    run.ran
}

/// Takes out the rules that would hardly ever apply in this world, or always: they could be there or not. What speaks of
/// directives waits for people's wishes.
fn leave_out_idle_rules(dice: &Dice, model: &mut Model, now_ms: i64) {
    let mut tally = Tally::new();
    for _ in 0..TRIALS {
        model.expect(&query(dice, model, now_ms), now_ms, &mut tally);
    }
    for rules in model.owners.values_mut().chain([&mut model.region]) {
        let owner = rules.owner.clone();
        rules.rules.retain(|rule| {
            let counts = tally.get(&(owner.clone(), rule.id.clone())).copied().unwrap_or_default();
            let waits = rule.when.iter().any(|fact| matches!(fact, Fact::Directive(_)));
            waits || counts.iter().all(|count| *count >= TRIED_MIN)
        });
    }
}

struct Run {
    dice: Dice,
    /// The world as it was made, with all of its rules.
    whole: Model,
    model: Model,
    system: System,
    planted: Planted,
    ran: Ran,
    glasses: u64,
    goal: u64,
}

/// A change of the world.
enum Change {
    Nothing,
    Rules(RuleSet),
    Enter(usize, DirectiveModel),
    Withdraw(usize, usize),
    Relate(usize, String),
}

impl Run {
    async fn step(&mut self) {
        // Longer than a connection lives: none comes of age while somebody asks over it.
        tokio::time::advance(Duration::from_secs(60 * self.dice.between(31, 75) as u64)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if self.dice.percent(30) {
            self.claim_or_open().await;
        }
        let before = self.model.clone();
        let change = self.choose();
        let mut after = self.model.clone();
        self.apply(&change, &mut after);
        let word = match &change {
            Change::Nothing => "nothing",
            Change::Rules(_) => "rules",
            Change::Enter(..) => "directive entered",
            Change::Withdraw(..) => "directive withdrawn",
            Change::Relate(..) => "relationships",
        };
        *self.ran.changes.entry(word).or_default() += 1;
        let beside: Vec<Query> = (0..AT_ONCE).map(|_| self.query(&before, &change)).collect();
        let asked = join_all(beside.iter().map(|query| self.beside(query, &change, [&before, &after])));
        let (entered, found) = futures::join!(self.make(&change, &after), asked);
        self.note(found);
        if let (Some(id), Change::Enter(person, _)) = (entered, &change) {
            after.people[*person].directives.last_mut().expect("it was entered").id = id;
        }
        self.model = after;
        let then: Vec<Query> = (0..AT_ONCE).map(|_| self.query(&self.model, &change)).collect();
        let mut tally = std::mem::take(&mut self.ran.tally);
        let now_ms = self.system.world.clock.now_ms();
        then.iter().for_each(|query| drop(self.model.expect(query, now_ms, &mut tally)));
        self.ran.tally = tally;
        let now = [&self.model];
        let found = join_all(then.iter().map(|query| self.asked(query, &now))).await;
        self.note(found);
    }

    fn note(&mut self, found: Vec<Vec<(String, Difference)>>) {
        self.ran.queries += found.len() as u64;
        self.ran.differences.extend(found.into_iter().flatten());
    }

    /// A query that tries what was rarely tried, and often one about whom the change concerns.
    fn query(&self, model: &Model, change: &Change) -> Query {
        let now_ms = self.system.world.clock.now_ms();
        let rarely = |tally: &Tally| {
            let new = tally.iter().filter(|(rule, counts)| {
                let known = self.ran.tally.get(*rule).copied().unwrap_or_default();
                (0..2).any(|way| counts[way] > 0 && known[way] < DECIDES_MIN)
            });
            new.count()
        };
        let concerned = match change {
            Change::Enter(person, _) | Change::Withdraw(person, _) | Change::Relate(person, _) => Some(*person),
            Change::Nothing | Change::Rules(_) => None,
        };
        // Past the goal only what was rarely tried is still worth asking.
        let candidates = if self.ran.queries < self.goal { 4 } else { 32 };
        let candidates = (0..candidates).map(|_| {
            let mut query = query(&self.dice, model, now_ms);
            if let Some(person) = concerned.filter(|_| query.opening.is_none() && self.dice.percent(60)) {
                query.person = person;
            }
            let mut tally = Tally::new();
            model.expect(&query, now_ms, &mut tally);
            (rarely(&tally), query)
        });
        candidates.max_by_key(|(worth, _)| *worth).map(|(_, query)| query).expect("there are candidates")
    }

    /// Asks at some moment of the change.
    async fn beside(&self, query: &Query, change: &Change, models: [&Model; 2]) -> Vec<(String, Difference)> {
        match change {
            // The broker hears of these within a minute.
            Change::Relate(..) => tokio::time::sleep(Duration::from_secs(self.dice.below(61) as u64)).await,
            _ => {
                for _ in 0..self.dice.below(200) {
                    tokio::task::yield_now().await;
                }
            }
        }
        self.asked(query, &models).await
    }

    /// Asks, and compares with what each of these worlds expects: one of them must fit as a whole.
    async fn asked(&self, query: &Query, models: &[&Model]) -> Vec<(String, Difference)> {
        let from_ms = self.system.world.clock.now_ms();
        let came = self.system.ask(&self.model, query).await;
        let until_ms = self.system.world.clock.now_ms();
        let mut least: Option<Vec<Difference>> = None;
        for model in models {
            for now_ms in [from_ms, until_ms] {
                let restricted = model.people[query.person].at.values().any(|known| known.demographics.restricted);
                let expected = model.expect(query, now_ms, &mut Tally::new());
                let found = differences(&expected, &came, restricted);
                if least.as_ref().is_none_or(|least| found.len() < least.len()) {
                    least = Some(found);
                }
            }
        }
        least.unwrap_or_default().into_iter().map(|difference| (self.told(query), difference)).collect()
    }

    /// A query in words, with what the oracle knows of who asks and whom it is about.
    fn told(&self, query: &Query) -> String {
        let (staff, person) = (&self.model.staff[query.staff], &self.model.people[query.person]);
        let of_source = |(id, known): (&String, &Known)| {
            format!("{id} restricted {} died {:?}", known.demographics.restricted, known.demographics.death_date)
        };
        format!(
            "query {}: {:?} for {:?}, glass {}, about {} with {:?}, claims {:?}, at {:?}",
            self.ran.queries,
            staff.seats[query.seat],
            query.purpose,
            query.opening.is_some(),
            query.person,
            person.directives,
            person.claims,
            person.at.iter().map(of_source).collect::<Vec<_>>(),
        )
    }

    fn choose(&self) -> Change {
        let person = self.dice.below(self.model.people.len());
        let directives = self.model.people[person].directives.len();
        match self.dice.below(20) {
            0..4 => self.wish(person),
            4..10 if directives > 0 => Change::Withdraw(person, self.dice.below(directives)),
            4..8 => {
                let sources: Vec<&String> = self.model.people[person].at.keys().collect();
                Change::Relate(person, (*self.dice.one(&sources)).clone())
            }
            8..10 => Change::Rules(self.edited()),
            _ => Change::Nothing,
        }
    }

    fn wish(&self, person: usize) -> Change {
        let (dice, now_ms) = (&self.dice, self.system.world.clock.now_ms());
        let kinds = [
            DirectiveKind::Dissent,
            DirectiveKind::Organisation,
            DirectiveKind::User,
            DirectiveKind::Datasets,
            DirectiveKind::OptOut,
        ];
        let kind = *dice.one(&kinds);
        let staff = dice.one(&self.model.staff);
        let sources: Vec<&String> = self.model.people[person].at.keys().collect();
        let of = match kind {
            DirectiveKind::Dissent => (*dice.one(&sources)).clone(),
            DirectiveKind::Organisation => dice.one(&staff.seats).organisation.clone(),
            DirectiveKind::User => staff.id.clone(),
            _ => String::new(),
        };
        let datasets = if kind == DirectiveKind::Datasets { dice.some(&HOT, dice.between(1, 4)) } else { vec![] };
        let hours = |hours: usize| i64::try_from(hours).unwrap_or_default() * 3_600_000;
        let from_ms = if dice.percent(30) { now_ms + hours(dice.between(1, 3)) } else { 0 };
        let until_ms = if dice.percent(50) { now_ms + hours(dice.between(4, 20)) } else { 0 };
        Change::Enter(person, DirectiveModel { id: String::new(), kind, of, datasets, from_ms, until_ms })
    }

    /// Somebody's rules with one taken away; or, where one is away, all of them again.
    fn edited(&self) -> RuleSet {
        let now = self.model.owners.values().chain([&self.model.region, &self.model.region]);
        let whole = self.whole.owners.values().chain([&self.whole.region, &self.whole.region]);
        let sets: Vec<(&RuleSet, &RuleSet)> = now.zip(whole).filter(|(_, whole)| !whole.rules.is_empty()).collect();
        if let Some((_, whole)) = sets.iter().find(|(now, whole)| now != whole) {
            return (*whole).clone();
        }
        let mut rules = self.dice.one(&sets).0.clone();
        rules.rules.remove(self.dice.below(rules.rules.len()));
        rules
    }

    /// What a change makes of the world.
    fn apply(&self, change: &Change, model: &mut Model) {
        match change {
            Change::Nothing => {}
            Change::Rules(rules) if rules.owner == "region" => model.region = rules.clone(),
            Change::Rules(rules) => drop(model.owners.insert(rules.owner.clone(), rules.clone())),
            Change::Enter(person, wish) => model.people[*person].directives.push(wish.clone()),
            Change::Withdraw(person, at) => drop(model.people[*person].directives.remove(*at)),
            Change::Relate(person, source) => {
                let organisations: Vec<String> =
                    model.staff.iter().flat_map(|staff| &staff.seats).map(|seat| seat.organisation.clone()).collect();
                let today = today(self.system.world.clock.now_ms());
                let listed = relationships(&self.dice, &organisations, today);
                let known = model.people[*person].at.get_mut(source).expect("the source knows the person");
                known.relationships = Some(listed);
            }
        }
    }

    /// Makes a change in the real system; gives the id of a directive that was entered.
    async fn make(&self, change: &Change, after: &Model) -> Option<String> {
        for _ in 0..self.dice.below(200) {
            tokio::task::yield_now().await;
        }
        match change {
            Change::Rules(rules) if self.planted != Planted::IgnoresEdits => {
                self.system.put_in_force(&self.planted.rules(rules));
            }
            Change::Enter(person, wish) if self.planted != Planted::IgnoresDirectives => {
                return Some(self.system.enter(&self.model, *person, wish).await);
            }
            Change::Withdraw(person, at) if self.planted != Planted::KeepsDirectives => {
                let id = &self.model.people[*person].directives[*at].id;
                if !id.is_empty() {
                    self.system.withdraw(id).await;
                }
            }
            Change::Relate(person, source) => {
                let known = self.planted.known(&after.people[*person].at[source]);
                self.system.announce(source, *person, &known).await;
            }
            _ => {}
        }
        None
    }

    /// Somebody claims to care for a person, or breaks the glass.
    async fn claim_or_open(&mut self) {
        let mut wish = query(&self.dice, &self.model, self.system.world.clock.now_ms());
        (wish.purpose, wish.opening) = (PurposeOfUse::DirectCare, None);
        let staff = &self.model.staff[wish.staff];
        let (id, organisation) = (staff.id.clone(), staff.seats[wish.seat].organisation.clone());
        if self.dice.percent(30) {
            if let Some(until_ms) = self.system.claim(&self.model, &wish).await {
                self.model.people[wish.person].claims.push((organisation, until_ms));
            }
            return;
        }
        self.glasses += 1;
        let text = format!("unconscious on arrival, case {}", self.glasses);
        if let Some((opened, until_ms)) = self.system.break_glass(&self.model, &wish, text).await {
            self.model.people[wish.person].overrides.push((id, opened, until_ms));
        }
    }
}
