//! Expectation-maximisation over patterns of levels. Pure arithmetic.

use crate::frequencies::Frequencies;
use crate::levels::{ALL_FIELDS, FIELDS, Field, LEVELS_MAX, place};
use crate::train::sessions::{Session, SessionKind};

pub(crate) const MATCH: usize = 0;
pub(crate) const HOUSEHOLD: usize = 1;
pub(crate) const STRANGER: usize = 2;
const CLASSES: usize = 3;

type Shares = [[[f64; LEVELS_MAX]; FIELDS]; CLASSES];

/// What was learned.
pub(crate) struct Learned {
    /// Share of each level among the pairs of each class.
    pub shares: Shares,
    /// Pairs of each class in each session.
    pub sizes: Vec<[f64; CLASSES]>,
    /// Whether there were shared addresses from which to learn households.
    pub has_households: bool,
    /// Rounds made.
    pub rounds: usize,
}

/// What learning starts from counts as so many pairs: enough to decide where there is next to no data.
const START_PAIRS: f64 = 40.0;
const HOUSEHOLD_PAIRS_MIN: usize = 30;
const ROUNDS_MAX: usize = 60;
const SHARE_MIN: f64 = 1e-9;

/// Learns what levels are worth.
pub(crate) fn learn(sessions: &[Session], strangers: &Session, frequencies: &Frequencies) -> Learned {
    let house_pairs = sessions.iter().find(|session| session.kind == SessionKind::House).map_or(0, |own| own.pairs);
    let has_households = house_pairs >= HOUSEHOLD_PAIRS_MIN;
    let mut learned = Learned {
        shares: start(),
        sizes: sessions.iter().map(|session| [0.3, 0.2, 0.5].map(|share| share * session.pairs as f64)).collect(),
        has_households,
        rounds: 0,
    };
    learned.shares[STRANGER] = strangers_shares(strangers, frequencies);
    while learned.rounds < ROUNDS_MAX {
        learned.rounds += 1;
        if round(sessions, &mut learned) < 1e-5 {
            break;
        }
    }
    learned
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
/// sample, which would hold few such pairs or none.
fn strangers_shares(strangers: &Session, frequencies: &Frequencies) -> [[f64; LEVELS_MAX]; FIELDS] {
    let start = start()[STRANGER];
    let mut counts = [[0.0; LEVELS_MAX]; FIELDS];
    for (levels, count) in &strangers.patterns {
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
                (own[level] + START_PAIRS * start[field as usize][level]) / (known + START_PAIRS);
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
    shares.map(scaled)
}

fn scaled(shares: [f64; LEVELS_MAX]) -> [f64; LEVELS_MAX] {
    let sum: f64 = shares.iter().sum();
    if sum > 0.0 { shares.map(|share| share / sum) } else { shares }
}

/// One round; gives the largest change of a share.
fn round(sessions: &[Session], learned: &mut Learned) -> f64 {
    let logs = learned.shares.map(|fields| fields.map(|levels| levels.map(|share| share.max(SHARE_MIN).ln())));
    let mut counts = [[[0.0; LEVELS_MAX]; FIELDS]; 2];
    for (session, sizes) in sessions.iter().zip(&mut learned.sizes) {
        if session.pairs > 0 {
            *sizes = expect(session, &logs, *sizes, learned.has_households, &mut counts);
        }
    }
    let start = start();
    let mut change: f64 = 0.0;
    for class in [MATCH, HOUSEHOLD] {
        for field in ALL_FIELDS {
            if class == HOUSEHOLD && field == Field::Place {
                continue;
            }
            let own = &counts[class][field as usize];
            let known: f64 = own[1..].iter().sum();
            for level in 1..field.levels().len() {
                let prior = START_PAIRS * start[class][field as usize][level];
                let share = (own[level] + prior) / (known + START_PAIRS);
                let before = &mut learned.shares[class][field as usize][level];
                change = change.max((share - *before).abs());
                *before = share;
            }
        }
    }
    households_place(&mut learned.shares);
    change
}

/// Adds each pair to the classes in proportion to how likely it is to belong to them; gives the classes' new sizes.
fn expect(
    session: &Session,
    logs: &Shares,
    sizes: [f64; CLASSES],
    has_households: bool,
    counts: &mut [[[f64; LEVELS_MAX]; FIELDS]; 2],
) -> [f64; CLASSES] {
    let fixed = session.kind.fixed();
    // At one address, who is not the same person is taken for one of the household.
    let possible = match session.kind {
        SessionKind::House => [true, true, false],
        _ => [true, has_households, true],
    };
    let mut new_sizes = [1.0; CLASSES];
    for (levels, count) in &session.patterns {
        let mut joint = [0.0; CLASSES];
        for class in 0..CLASSES {
            if possible[class] {
                let fields = ALL_FIELDS.iter().filter(|field| !fixed.contains(field));
                let log: f64 = fields.map(|field| logs[class][*field as usize][usize::from(levels.get(*field))] * f64::from(u8::from(levels.get(*field) != 0))).sum();
                joint[class] = log + sizes[class].max(1e-6).ln();
            } else {
                joint[class] = f64::NEG_INFINITY;
            }
        }
        let largest = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let parts = joint.map(|log| (log - largest).exp());
        let whole: f64 = parts.iter().sum();
        for class in 0..CLASSES {
            let part = count * parts[class] / whole;
            new_sizes[class] += part;
            // Households are learned where they are: at one address.
            if class == MATCH || (class == HOUSEHOLD && session.kind == SessionKind::House) {
                for field in ALL_FIELDS.iter().filter(|field| !fixed.contains(field)) {
                    counts[class][*field as usize][usize::from(levels.get(*field))] += part;
                }
            }
        }
    }
    new_sizes
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
    for level in near + 1..Field::Place.levels().len() {
        household[level] = 0.005;
    }
}
