//! Expectation-maximisation over patterns of levels. Pure arithmetic.

use crate::frequencies::Frequencies;
use crate::levels::{ALL_FIELDS, Class, FIELDS, Field, LEVELS_MAX, Levels, TOGETHER, birth, given, place};
use crate::train::sessions::{Session, SessionKind};

pub(crate) const MATCH: usize = Class::Match as usize;
pub(crate) const HOUSEHOLD: usize = Class::Household as usize;
pub(crate) const STRANGER: usize = Class::Stranger as usize;
const CLASSES: usize = 3;
/// The level at which a field agrees exactly; of all fields the first.
pub(crate) const EXACT: u8 = 1;

type Shares = [[[f64; LEVELS_MAX]; FIELDS]; CLASSES];
/// How often each two levels of two dependent fields are seen together.
pub(crate) type Joint = [[f64; LEVELS_MAX]; LEVELS_MAX];

/// What was learned.
pub(crate) struct Learned {
    /// Share of each level among the pairs of each class.
    pub shares: Shares,
    /// For each entry of [`TOGETHER`], how many times more often two levels are seen together than by chance.
    pub excess: [Joint; TOGETHER.len()],
    /// Pairs of each class in each session.
    pub sizes: Vec<[f64; CLASSES]>,
    /// Matches in each session that agree exactly on the fields by which they were found.
    pub exact: Vec<f64>,
    /// For each field, the share of matches found by other fields in which both registrations give it.
    pub known: [f64; FIELDS],
    /// Whether there were shared addresses from which to learn households.
    pub has_households: bool,
    /// Whether there were shared addresses enough, and next to none was shared by two people.
    pub no_households: bool,
    /// Whether nothing tells a namesake, or a father from his son of one name, from a person with two birth dates.
    is_birth_doubtful: bool,
    /// Rounds made.
    pub rounds: usize,
}

/// What learning starts from counts as so many pairs: enough to decide where there is next to no data.
const START_PAIRS: f64 = 40.0;
/// What was never seen among random pairs may yet be, so many times in as many pairs.
const UNSEEN_PAIRS: f64 = 0.03;
const HOUSEHOLD_PAIRS_MIN: f64 = 30.0;
/// Where fewer than this share of the pairs at one address are plainly two people, nobody's family is registered:
/// those few are one person's registrations with everything wrong.
const HOUSEHOLD_SHARE_MIN: f64 = 0.1;
/// From so many pairs at one address on, it is certain that there are no families if fewer than this share of them are
/// plainly two people; where there are any, most are.
const NO_HOUSEHOLDS_PAIRS_MIN: f64 = 200.0;
const NO_HOUSEHOLDS_SHARE: f64 = 0.02;
const ROUNDS_MAX: usize = 60;
const SHARE_MIN: f64 = 1e-9;
/// Two levels count as seen together so many times more than they were: a few pairs prove no dependence.
const TOGETHER_PAIRS: f64 = 20.0;
/// Wholly different birth dates of one person are next to none: of the birth dates that disagree between two English
/// trusts (0.49%), 93% agree in two of three parts (Cardinal 2023), which leaves 0.034%. Learning cannot find this out: a father and son of
/// one name would be taken for one person with two birth dates.
const OTHER_BIRTH_MAX: [(u8, f64); 2] = [(birth::NEAR, 0.000_25), (birth::FAR, 0.000_1)];

/// Learns what levels are worth.
///
/// `matches` is the share of matches among random pairs, as far as it is known.
pub(crate) fn learn(sessions: &[Session], strangers: &Session, frequencies: &Frequencies, matches: f64) -> Learned {
    let houses = sessions.iter().find(|session| session.kind == SessionKind::House);
    let [others, house_pairs] = houses.map_or([0.0; 2], others_at_home);
    let has_households = others >= HOUSEHOLD_PAIRS_MIN && others > HOUSEHOLD_SHARE_MIN * house_pairs;
    let is_birth_doubtful = has_households || house_pairs < HOUSEHOLD_PAIRS_MIN;
    let mut learned = Learned {
        shares: start(),
        excess: [[[1.0; LEVELS_MAX]; LEVELS_MAX]; TOGETHER.len()],
        sizes: sessions.iter().map(|session| [0.3, 0.2, 0.5].map(|share| share * session.pairs as f64)).collect(),
        exact: vec![0.0; sessions.len()],
        known: [1.0; FIELDS],
        has_households,
        no_households: house_pairs >= NO_HOUSEHOLDS_PAIRS_MIN && others < NO_HOUSEHOLDS_SHARE * house_pairs,
        is_birth_doubtful,
        rounds: 0,
    };
    learned.shares[STRANGER] = strangers_shares(strangers, frequencies, &|_| 1.0);
    strangers_excesses(strangers, &mut learned.excess);
    run(sessions, &mut learned);
    if matches > 0.0 {
        let logs = Logs::of(&learned);
        let odds = |levels| (logs.of_pattern(MATCH, levels, &[]) - logs.of_pattern(STRANGER, levels, &[])).exp();
        let stranger = |levels| 1.0 / (1.0 + matches * odds(levels));
        learned.shares[STRANGER] = strangers_shares(strangers, frequencies, &stranger);
        run(sessions, &mut learned);
    }
    learned
}

fn run(sessions: &[Session], learned: &mut Learned) {
    for _ in 0..ROUNDS_MAX {
        learned.rounds += 1;
        if round(sessions, learned) < 1e-5 {
            break;
        }
    }
}

/// Of the pairs at one address whose names and birth dates are known: those that agree in neither, and all.
fn others_at_home(houses: &Session) -> [f64; 2] {
    let mut pairs = [0.0; 2];
    for (levels, count) in &houses.patterns {
        let (name, born) = (levels.get(Field::Given), levels.get(Field::Birth));
        if name != 0 && born != 0 {
            pairs[0] += if name == given::DIFFERENT && born >= birth::NEAR { *count } else { 0.0 };
            pairs[1] += count;
        }
    }
    pairs
}

fn start() -> Shares {
    let mut shares = [[[0.0; LEVELS_MAX]; FIELDS]; CLASSES];
    for field in ALL_FIELDS {
        for (level, spec) in field.levels().iter().enumerate() {
            for (class, share) in spec.start.iter().enumerate() {
                shares[class][field as usize][level] = *share;
            }
        }
    }
    shares
}

/// Strangers' shares are counted, not learned; for exact agreement the frequencies of the values tell more than a
/// sample, which would hold few such pairs or none. `stranger` says how likely a pair of such levels is strangers.
fn strangers_shares(
    strangers: &Session,
    frequencies: &Frequencies,
    stranger: &dyn Fn(Levels) -> f64,
) -> [[f64; LEVELS_MAX]; FIELDS] {
    let start = start()[STRANGER];
    let mut counts = [[0.0; LEVELS_MAX]; FIELDS];
    for (levels, count) in &strangers.patterns {
        let count = count * stranger(*levels);
        for field in ALL_FIELDS {
            counts[field as usize][usize::from(levels.get(field))] += count;
        }
    }
    let mut shares = start;
    for field in ALL_FIELDS {
        let own = &counts[field as usize];
        let known: f64 = own[1..].iter().sum();
        // Random pairs are many, but the rarest levels still need what is known beforehand.
        for level in 1..field.levels().len() {
            shares[field as usize][level] =
                (own[level].max(UNSEEN_PAIRS) + START_PAIRS * start[field as usize][level]) / (known + START_PAIRS);
        }
    }
    let exact = [
        (Field::Given, frequencies.given.chance_agreement),
        (Field::Family, frequencies.family.chance_agreement),
        (Field::Birth, frequencies.birth.chance_agreement),
        (Field::Phone, frequencies.phone.chance_agreement),
        (Field::Place, frequencies.house.chance_agreement),
    ];
    for (field, chance) in exact {
        shares[field as usize][1] = chance.max(SHARE_MIN);
    }
    // Exchanged names agree by chance no less often than names in their places.
    let both = frequencies.given.chance_agreement * frequencies.family.chance_agreement;
    let exchanged = &mut shares[Field::Given as usize][usize::from(given::SWAPPED)];
    *exchanged = exchanged.max(both);
    shares.map(scaled)
}

fn scaled(shares: [f64; LEVELS_MAX]) -> [f64; LEVELS_MAX] {
    let sum: f64 = shares.iter().sum();
    if sum > 0.0 { shares.map(|share| share / sum) } else { shares }
}

/// What one round counts.
struct Counts {
    levels: [[[f64; LEVELS_MAX]; FIELDS]; 2],
    joint: [Joint; TOGETHER.len()],
}

/// One round; gives the largest change of a share.
fn round(sessions: &[Session], learned: &mut Learned) -> f64 {
    let logs = Logs::of(learned);
    let mut counts =
        Counts { levels: [[[0.0; LEVELS_MAX]; FIELDS]; 2], joint: [[[0.0; LEVELS_MAX]; LEVELS_MAX]; TOGETHER.len()] };
    for ((session, sizes), exact) in sessions.iter().zip(&mut learned.sizes).zip(&mut learned.exact) {
        if session.pairs > 0 {
            (*sizes, *exact) = expect(session, &logs, *sizes, learned.has_households, &mut counts);
        }
    }
    let start = start();
    let mut change: f64 = 0.0;
    for class in [MATCH, HOUSEHOLD] {
        for field in ALL_FIELDS {
            if class == HOUSEHOLD && field == Field::Place {
                continue;
            }
            let own = &counts.levels[class][field as usize];
            let known: f64 = own[1..].iter().sum();
            if class == MATCH {
                learned.known[field as usize] = (known + START_PAIRS) / (known + own[0] + START_PAIRS);
            }
            for level in 1..field.levels().len() {
                let prior = START_PAIRS * start[class][field as usize][level];
                let share = (own[level] + prior) / (known + START_PAIRS);
                let before = &mut learned.shares[class][field as usize][level];
                change = change.max((share - *before).abs());
                *before = share;
            }
        }
    }
    for (level, most) in OTHER_BIRTH_MAX.into_iter().filter(|_| learned.is_birth_doubtful) {
        let share = &mut learned.shares[MATCH][Field::Birth as usize][usize::from(level)];
        *share = share.min(most);
    }
    households_place(&mut learned.shares);
    for ((excess, joint), (class, one, two)) in learned.excess.iter_mut().zip(&counts.joint).zip(TOGETHER) {
        if class != Class::Stranger {
            let own = &learned.shares[class as usize];
            *excess = excess_of(joint, &own[one as usize], &own[two as usize]);
        }
    }
    change
}

/// How much more often than by chance two levels are seen together among strangers, counted as their shares are.
fn strangers_excesses(strangers: &Session, excesses: &mut [Joint; TOGETHER.len()]) {
    for (excess, (class, one, two)) in excesses.iter_mut().zip(TOGETHER) {
        if class != Class::Stranger {
            continue;
        }
        let mut joint = [[0.0; LEVELS_MAX]; LEVELS_MAX];
        let (mut ones, mut twos) = ([0.0; LEVELS_MAX], [0.0; LEVELS_MAX]);
        for (levels, count) in &strangers.patterns {
            let (first, second) = (usize::from(levels.get(one)), usize::from(levels.get(two)));
            if first != 0 && second != 0 {
                joint[first][second] += count;
                ones[first] += count;
                twos[second] += count;
            }
        }
        *excess = excess_of(&joint, &scaled(ones), &scaled(twos));
    }
}

/// How much more often two levels are seen together than by chance, held back towards 1 where few were expected.
fn excess_of(joint: &Joint, ones: &[f64; LEVELS_MAX], twos: &[f64; LEVELS_MAX]) -> Joint {
    let total: f64 = joint.iter().flatten().sum();
    let mut excess = *joint;
    for (row, one) in excess.iter_mut().zip(ones) {
        for (cell, two) in row.iter_mut().zip(twos) {
            *cell = (*cell + TOGETHER_PAIRS) / (total * one * two + TOGETHER_PAIRS);
        }
    }
    excess
}

/// Natural logarithms of all shares; of joint ones, how much more often than by chance.
struct Logs {
    shares: Shares,
    joint: [Joint; TOGETHER.len()],
}

impl Logs {
    fn of(learned: &Learned) -> Self {
        let shares = learned.shares.map(|fields| fields.map(|levels| levels.map(|share| share.max(SHARE_MIN).ln())));
        let joint = learned.excess.map(|excess| excess.map(|row| row.map(f64::ln)));
        Self { shares, joint }
    }

    fn of_pattern(&self, class: usize, levels: Levels, fixed: &[Field]) -> f64 {
        let known = |field: Field| levels.get(field) != 0 && !fixed.contains(&field);
        let level = |field: Field| usize::from(levels.get(field));
        let alone: f64 = ALL_FIELDS
            .into_iter()
            .filter(|field| known(*field))
            .map(|field| self.shares[class][field as usize][level(field)])
            .sum();
        let together = TOGETHER.into_iter().zip(&self.joint);
        let together = together.filter(|((own, one, two), _)| *own as usize == class && known(*one) && known(*two));
        alone + together.map(|((_, one, two), joint)| joint[level(one)][level(two)]).sum::<f64>()
    }
}

/// Adds each pair to the classes in proportion to how likely it is to belong to them; gives the classes' new sizes, and
/// how many matches agree exactly on the fields by which they were found.
fn expect(
    session: &Session,
    logs: &Logs,
    sizes: [f64; CLASSES],
    has_households: bool,
    counts: &mut Counts,
) -> ([f64; CLASSES], f64) {
    let fixed = session.kind.fixed();
    // At one address, who is not the same person is taken for one of the household.
    let possible = match session.kind {
        SessionKind::House => [true, true, false],
        _ => [true, has_households, true],
    };
    let (mut new_sizes, mut exact) = ([1.0; CLASSES], 0.0);
    for (levels, count) in &session.patterns {
        let mut joint = [f64::NEG_INFINITY; CLASSES];
        for class in (0..CLASSES).filter(|class| possible[*class]) {
            joint[class] = logs.of_pattern(class, *levels, fixed) + sizes[class].max(1e-6).ln();
        }
        let largest = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let parts = joint.map(|log| (log - largest).exp());
        let whole: f64 = parts.iter().sum();
        // Sex goes with the given name, but need not be known.
        if fixed.iter().all(|field| *field == Field::Sex || levels.get(*field) == EXACT) {
            exact += count * parts[MATCH] / whole;
        }
        for class in 0..CLASSES {
            let part = count * parts[class] / whole;
            new_sizes[class] += part;
            // Households are learned where they are: at one address.
            if class == MATCH || (class == HOUSEHOLD && session.kind == SessionKind::House) {
                counts.add(class, *levels, fixed, part);
            }
        }
    }
    (new_sizes, exact)
}

impl Counts {
    fn add(&mut self, class: usize, levels: Levels, fixed: &[Field], part: f64) {
        let level = |field: Field| usize::from(levels.get(field));
        for field in ALL_FIELDS.into_iter().filter(|field| !fixed.contains(field)) {
            self.levels[class][field as usize][level(field)] += part;
        }
        for (joint, (own, one, two)) in self.joint.iter_mut().zip(TOGETHER) {
            let known = level(one) != 0 && level(two) != 0 && !fixed.contains(&one) && !fixed.contains(&two);
            if own as usize == class && known {
                joint[level(one)][level(two)] += part;
            }
        }
    }
}

/// Two of one household share an address by definition, but it is written down as carelessly as anybody's: its levels
/// are those of matches who have not moved.
fn households_place(shares: &mut Shares) {
    let matched = shares[MATCH][Field::Place as usize];
    let household = &mut shares[HOUSEHOLD][Field::Place as usize];
    let near = usize::from(place::NEARLY_POSTCODE);
    let together: f64 = matched[1..=near].iter().sum();
    for level in 1..=near {
        household[level] = 0.98 * matched[level] / together;
    }
    household[near + 1..Field::Place.levels().len()].fill(0.005);
}
