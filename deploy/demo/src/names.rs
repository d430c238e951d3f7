//! Names of several origins, roughly as they are met in the West Midlands. No real person is meant.

/// Names that go together.
pub struct Origin {
    /// Share of households, in parts of 100 over all origins.
    pub share: usize,
    /// Family names.
    pub families: &'static [&'static str],
    /// Given names of women and girls.
    pub female: &'static [&'static str],
    /// Given names of men and boys.
    pub male: &'static [&'static str],
}

/// The origins; their shares add up to 100.
pub const ORIGINS: [Origin; 8] = [
    Origin {
        share: 46,
        families: &[
            "Smith",
            "Jones",
            "Taylor",
            "Hadley",
            "Perks",
            "Tonks",
            "Bagnall",
            "Fellows",
            "Hingley",
            "Round",
            "Cartwright",
            "Whitehouse",
            "Homer",
            "Dunn",
            "Parkes",
            "Harris",
            "Price",
            "Evans",
            "Davies-Hall",
            "Onions",
            "Wootton",
            "Yardley",
            "Fenwick",
            "Mole",
            "Raybould",
            "Westwood",
            "Darby",
            "Lowe",
        ],
        female: &[
            "Margaret", "Susan", "Emily", "Grace", "Doreen", "Chloe", "Alice", "Joan", "Rebecca", "Hannah", "Lucy",
            "Beryl", "Karen", "Amelia", "Poppy", "Kathleen", "Elsie", "Megan",
        ],
        male: &[
            "John", "David", "Thomas", "Harry", "Brian", "Kevin", "Oliver", "Jack", "Stephen", "Raymond", "George",
            "Daniel", "Callum", "Noah", "Derek", "Alan", "Arthur", "Liam",
        ],
    },
    Origin {
        share: 6,
        families: &["O'Connor", "Murphy", "Brennan", "McDermott", "Ní Dhomhnaill", "Gallagher", "FitzGerald", "Keane"],
        female: &["Siobhán", "Bridget", "Niamh", "Maeve", "Orla", "Nuala"],
        male: &["Seán", "Patrick", "Declan", "Cormac", "Fergal", "Michael"],
    },
    Origin {
        share: 15,
        families: &[
            "Khan",
            "Hussain",
            "Begum",
            "Mahmood",
            "Akhtar",
            "Mirza",
            "Iqbal",
            "Bi",
            "Rahman",
            "Chowdhury",
            "Ali",
        ],
        female: &[
            "Aisha", "Fatima", "Nasreen", "Shazia", "Zainab", "Rukhsana", "Amina", "Sumaiya", "Parveen", "Maryam",
        ],
        male: &["Mohammed", "Imran", "Tariq", "Yusuf", "Bilal", "Muhammad", "Hamza", "Abdul", "Shahid", "Kamran"],
    },
    Origin {
        share: 13,
        families: &[
            "Singh", "Kaur", "Dhaliwal", "Sandhu", "Patel", "Sharma", "Gill", "Bains", "Chauhan", "Mistry", "Rai",
        ],
        female: &["Harpreet", "Simran", "Jaswinder", "Priya", "Anjali", "Manjit", "Kiran", "Neha", "Surinder", "Meera"],
        male: &["Gurpreet", "Harjit", "Balbir", "Rajesh", "Amit", "Manpreet", "Sukhdev", "Nikhil", "Ravi", "Arjan"],
    },
    Origin {
        share: 8,
        families: &[
            "Campbell", "Achebe", "Okafor", "Grant", "Mensah", "Bailey", "Clarke", "Adeyemi", "Williams", "Mugisha",
        ],
        female: &["Rosalind", "Ngozi", "Shanice", "Abena", "Beverley", "Chioma", "Marcia", "Adaeze", "Yvonne"],
        male: &["Winston", "Emeka", "Kwame", "Delroy", "Tunde", "Leroy", "Chidi", "Marlon", "Isaac"],
    },
    Origin {
        share: 6,
        families: &["Kowalczyk", "Wójcik", "Nowak", "Lewandowska", "Ionescu", "Popa", "Šimkus", "Kováčová"],
        female: &["Zofia", "Agnieszka", "Katarzyna", "Elena", "Ioana", "Rūta", "Małgorzata", "Zuzanna"],
        male: &["Piotr", "Tomasz", "Andrei", "Krzysztof", "Mihai", "Jakub", "Łukasz", "Jonas"],
    },
    Origin {
        share: 3,
        families: &["Chen", "Wong", "Nguyễn", "Lam", "Li", "Tran", "Cheung"],
        female: &["Mei Ling", "Xiu Ying", "Linh", "Wai Yee", "Hua", "Jing"],
        male: &["Wei", "Minh", "Kwok Wai", "Jian", "Hao", "Duc"],
    },
    Origin {
        share: 3,
        families: &["Abdi", "Warsame", "al-Hakimi", "Saleh", "Hassan", "Ahmed Nur", "bin Yahya"],
        female: &["Hodan", "Amal", "Layla", "Ifrah", "Samira", "Noor"],
        male: &["Abdirahman", "Omar", "Khalid", "Mahad", "Said", "Ibrahim"],
    },
];

/// Street names that are made up: no such streets are meant at the postcodes they are combined with.
pub const STREETS: [&str; 24] = [
    "Nailmakers Row",
    "Tributary Way",
    "Lockkeeper's Rise",
    "Chainmaker Street",
    "Puddler's Green",
    "Coracle Lane",
    "Sabrina Close",
    "Glassblower Road",
    "Foundry Bank",
    "Saddler's Croft",
    "Bridgewright Avenue",
    "Kingfisher Wharf",
    "Enamel Street",
    "Button Factory Lane",
    "Penmaker Place",
    "Towpath Terrace",
    "Furnace Hill",
    "Weir View",
    "Bellfounder Drive",
    "Pikelet Street",
    "Withybed Walk",
    "Otter Holt",
    "Gunlock Grove",
    "Groaty Pudding Yard",
];

/// Professionals: (name, role). Made up.
pub const PROFESSIONALS: [(&str, &str); 10] = [
    ("Dr Helen Marsh", "General practitioner"),
    ("Dr Tariq Anwar", "Consultant physician"),
    ("Dr Ruth Adomako", "Consultant psychiatrist"),
    ("Sister Jo Pugh", "Community nurse"),
    ("Mr Ewan Blythe", "Consultant surgeon"),
    ("Parminder Gill", "Social worker"),
    ("Colin Stokes", "Paramedic"),
    ("Lorraine Beck", "Community psychiatric nurse"),
    ("Dr Anna Zielinska", "Palliative care consultant"),
    ("Officer M. Dale", "Prison officer"),
];
