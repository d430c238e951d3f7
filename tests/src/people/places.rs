//! Where people live and who registers them: addresses of the right shape in the West Midlands and elsewhere, numbers
//! that nobody can be reached under, and the sources with their care in writing things down.

use super::draw::Draw;

/// Where a registration is made. How careful a source is decides how many errors its registrations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A general practice: everybody's first registration.
    Practice,
    /// A hospital's patient administration.
    Hospital,
    /// An emergency department: registered in a hurry.
    Emergency,
    /// An ambulance service or an urgent-care line: registered on the way.
    Ambulance,
    /// Mental health and community services.
    Community,
    /// Adult or children's social care: NHS numbers are often absent.
    Council,
    /// A prison's health service.
    Prison,
}

/// How careful a kind of source is. The NHS number is absent as often as CUREd found it in Yorkshire: .3% of inpatients,
/// 2% of emergency and 14.4% of ambulance records; councils from the 95% that CP-IS asks of them downwards.
#[derive(Clone, Copy, Debug)]
pub struct Care {
    /// By how much every error is more frequent than between two mental health trusts (CRATE, 2023).
    pub errors: f64,
    /// Share of registrations without an NHS number.
    pub number_absent: f64,
    /// Share of NHS numbers that the source has checked with the national service.
    pub number_verified: f64,
}

impl Kind {
    /// How careful such a source is.
    #[must_use]
    pub const fn care(self) -> Care {
        let (errors, number_absent, number_verified) = match self {
            Kind::Practice => (0.6, 0.01, 0.97),
            Kind::Hospital => (1.0, 0.04, 0.92),
            Kind::Emergency => (2.0, 0.09, 0.75),
            Kind::Ambulance => (2.6, 0.17, 0.5),
            Kind::Community => (1.0, 0.05, 0.9),
            Kind::Council => (1.5, 0.25, 0.6),
            Kind::Prison => (1.8, 0.1, 0.7),
        };
        Care { errors, number_absent, number_verified }
    }
}

/// The source whose clerk enters the practice's own phone for everybody.
pub const PRACTICE_PHONE_SOURCE: usize = 3;

/// The practice's own phone: in the range that Ofcom keeps for drama.
pub const PRACTICE_PHONE: &str = "0121 496 0003";

/// Every source, and what it is.
pub const SOURCES: [(&str, Kind); 36] = [
    ("gp-aldergate", Kind::Practice),
    ("gp-brookfield", Kind::Practice),
    ("gp-castle-road", Kind::Practice),
    ("gp-dove-lane", Kind::Practice),
    ("gp-edgeway", Kind::Practice),
    ("gp-forge-street", Kind::Practice),
    ("gp-greenhill", Kind::Practice),
    ("gp-hawthorn", Kind::Practice),
    ("gp-ivy-house", Kind::Practice),
    ("gp-junction", Kind::Practice),
    ("gp-kingfisher", Kind::Practice),
    ("gp-limetree", Kind::Practice),
    ("gp-millpool", Kind::Practice),
    ("gp-northway", Kind::Practice),
    ("gp-oakfield", Kind::Practice),
    ("gp-priory", Kind::Practice),
    ("gp-quayside", Kind::Practice),
    ("gp-riverside", Kind::Practice),
    ("gp-station-road", Kind::Practice),
    ("gp-towerhill", Kind::Practice),
    ("hospital-central", Kind::Hospital),
    ("hospital-east", Kind::Hospital),
    ("hospital-north", Kind::Hospital),
    ("hospital-women", Kind::Hospital),
    ("hospital-children", Kind::Hospital),
    ("emergency-central", Kind::Emergency),
    ("emergency-east", Kind::Emergency),
    ("ambulance-midlands", Kind::Ambulance),
    ("urgent-care-line", Kind::Ambulance),
    ("mental-health-south", Kind::Community),
    ("mental-health-north", Kind::Community),
    ("community-nursing", Kind::Community),
    ("council-adults", Kind::Council),
    ("council-children", Kind::Council),
    ("hospice-vale", Kind::Community),
    ("prison-health", Kind::Prison),
];

/// Where practices stand in [`SOURCES`].
pub const PRACTICES: usize = 20;

/// The maternity hospital's place in [`SOURCES`].
pub const MATERNITY: usize = 23;

/// The emergency department's place in [`SOURCES`].
pub const EMERGENCY: usize = 25;

/// The prison's place in [`SOURCES`].
pub const PRISON: usize = 35;

/// How often a further registration is made at each kind, as a list of (place in [`SOURCES`], weight).
pub const FURTHER: [(usize, f64); 16] = [
    (20, 14.0),
    (21, 11.0),
    (22, 8.0),
    (23, 5.0),
    (24, 4.0),
    (25, 11.0),
    (26, 8.0),
    (27, 8.0),
    (28, 7.0),
    (29, 4.0),
    (30, 3.0),
    (31, 4.0),
    (32, 5.0),
    (33, 2.0),
    (34, 1.0),
    (0, 5.0),
];

/// One in ten lives elsewhere in the country: postcode area, districts in it, dialling code.
const AREAS: [((&str, usize, &str), f64); 16] = [
    (("B", 98, "0121"), 34.0),
    (("WV", 16, "01902"), 9.0),
    (("WS", 15, "01922"), 8.0),
    (("DY", 14, "01384"), 9.0),
    (("CV", 37, "024"), 13.0),
    (("ST", 21, "01782"), 5.0),
    (("TF", 13, "01952"), 4.0),
    (("WR", 15, "01905"), 4.0),
    (("LE", 19, "0116"), 2.0),
    (("M", 46, "0161"), 2.0),
    (("LS", 29, "0113"), 2.0),
    (("NG", 25, "0115"), 2.0),
    (("E", 20, "020"), 2.0),
    (("BS", 49, "0117"), 1.5),
    (("CF", 72, "029"), 1.5),
    (("G", 84, "0141"), 1.0),
];

const UNIT_LETTERS: &[u8] = b"ABDEFGHJLNPQRSTUWXYZ";

const COMMON_STREETS: [&str; 40] = [
    "High Street",
    "Station Road",
    "Park Road",
    "Church Road",
    "Church Street",
    "London Road",
    "Victoria Road",
    "Green Lane",
    "Manor Road",
    "Park Avenue",
    "Queens Road",
    "New Road",
    "Grange Road",
    "Kings Road",
    "Windsor Road",
    "Highfield Road",
    "Mill Lane",
    "Alexandra Road",
    "York Road",
    "St Johns Road",
    "Main Street",
    "Broadway",
    "King Street",
    "The Green",
    "Springfield Road",
    "George Street",
    "Park Lane",
    "Victoria Street",
    "Albert Road",
    "New Street",
    "Queen Street",
    "West Street",
    "North Street",
    "The Grove",
    "Richmond Road",
    "School Lane",
    "Stanley Road",
    "Chester Road",
    "Birmingham Road",
    "Hagley Road",
];

const STREET_STEMS: [&str; 48] = [
    "Acorn",
    "Beacon",
    "Bramble",
    "Canal",
    "Chapel",
    "Cherry",
    "Cobden",
    "Copper",
    "Cromwell",
    "Dingle",
    "Elm",
    "Farm",
    "Foundry",
    "Gladstone",
    "Glebe",
    "Hazel",
    "Heath",
    "Holly",
    "Ivy",
    "Jubilee",
    "Kestrel",
    "Larch",
    "Laurel",
    "Lode",
    "Maple",
    "Meadow",
    "Nelson",
    "Oak",
    "Orchard",
    "Park",
    "Pinfold",
    "Poplar",
    "Quarry",
    "Rectory",
    "Rowan",
    "Sandy",
    "Severn",
    "Shire",
    "Spring",
    "Swan",
    "Tame",
    "Tenter",
    "Vicarage",
    "Walnut",
    "Waterloo",
    "Wellington",
    "Willow",
    "Yew",
];

const STREET_ENDINGS: [&str; 12] =
    ["Street", "Road", "Avenue", "Close", "Drive", "Lane", "Crescent", "Way", "Grove", "Court", "Terrace", "Croft"];

/// A postcode with its street: about seventeen homes.
#[derive(Clone, Debug)]
pub struct Street {
    /// `Acorn Grove`.
    pub name: String,
    /// `B42 1RZ`; of the right shape, and nowhere in particular.
    pub postcode: String,
    dialling_code: &'static str,
}

impl Street {
    /// A street somewhere.
    pub fn draw(draw: &mut Draw) -> Street {
        let &(area, districts, dialling_code) = draw.weighted(&AREAS);
        let name = if draw.chance(0.3) {
            (*draw.of(&COMMON_STREETS)).to_owned()
        } else {
            format!("{} {}", draw.of(&STREET_STEMS), draw.of(&STREET_ENDINGS))
        };
        let mut postcode = format!("{area}{} {}", draw.between(1, districts as i64), draw.between(1, 9));
        for _ in 0..2 {
            postcode.push(char::from(*draw.of(UNIT_LETTERS)));
        }
        Street { name, postcode, dialling_code }
    }

    /// A number of the street's area code that is no subscriber's: within an area none begins with 0 or 1. The ranges
    /// that Ofcom keeps for drama are too short for a population: half of it would share its phone with a stranger.
    pub fn landline(&self, draw: &mut Draw) -> String {
        let digits = 11 - self.dialling_code.len();
        let rest: String = (1..digits).map(|_| digit(draw)).collect();
        format!("{}{}{rest}", self.dialling_code, draw.below(2))
    }
}

/// A mobile number in 071 and 072, of which Ofcom has given none to a network; see [`Street::landline`].
pub fn mobile(draw: &mut Draw) -> String {
    let rest: String = (0..8).map(|_| digit(draw)).collect();
    format!("07{}{rest}", draw.between(1, 2))
}

fn digit(draw: &mut Draw) -> char {
    char::from(b'0' + draw.below(10) as u8)
}

/// NHS numbers with a valid check digit from 900 000 000 upwards, which are never issued. No two are the same.
#[derive(Debug)]
pub struct NhsNumbers {
    next: u64,
}

impl NhsNumbers {
    /// A sequence that begins somewhere.
    pub fn new(draw: &mut Draw) -> NhsNumbers {
        NhsNumbers { next: draw.bits() % SPACE }
    }

    /// The next one.
    pub fn draw(&mut self) -> String {
        loop {
            self.next = (self.next + 1) % SPACE;
            // Multiplying by a number prime to the size of the range visits each of it once, in no visible order.
            let body = format!("9{:08}", self.next * 38_834_081 % SPACE);
            if let Some(check) = check_digit(&body) {
                return format!("{body}{check}");
            }
        }
    }
}

const SPACE: u64 = 100_000_000;

/// The tenth digit by modulus 11; none where it would be 10, for which no number is issued.
#[must_use]
pub fn check_digit(body: &str) -> Option<u32> {
    let digits = body.bytes().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits.zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
    match 11 - sum % 11 {
        10 => None,
        11 => Some(0),
        check => Some(check),
    }
}
