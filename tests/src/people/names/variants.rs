//! Other names for the same name: what people are called at home, and what a clerk hears in a name from another
//! script. A group holds names that are written for each other; some stand in several groups.

use crate::people::draw::Draw;
use std::collections::HashMap;

/// Names and what they are shortened to, the full name first.
const NICKNAMES: &str = "William Bill Will Billy|Robert Bob Rob Bobby|Richard Rick Dick Rich|James Jim Jamie Jimmy|\
    John Jack Johnny|Michael Mike Mick|Thomas Tom Tommy|Christopher Chris Kit|Anthony Tony|Edward Ted Ed Eddie|\
    Charles Charlie Chas|Joseph Joe|David Dave|Daniel Dan Danny|Matthew Matt|Andrew Andy Drew|Steven Steve|Stephen Steve|\
    Kenneth Ken Kenny|Ronald Ron|Donald Don|Timothy Tim|Joshua Josh|Benjamin Ben|Samuel Sam|Alexander Alex Sandy Al|\
    Nicholas Nick|Jonathan Jon Jonny|Patrick Pat Paddy|Peter Pete|Raymond Ray|Gerald Gerry|Lawrence Larry Laurie|\
    Frederick Fred Freddie|Albert Bert|Harold Harry|Henry Harry|Leonard Len|Douglas Doug|Terence Terry|Geoffrey Geoff|\
    Gregory Greg|Philip Phil|Reginald Reg|Stanley Stan|Walter Wally|Leslie Les|Norman Norm|Bernard Bernie|Arthur Art|\
    Sebastian Seb|Zachary Zac|Nathan Nate|Oliver Ollie|Isaac Ike|Jeremy Jez|Gareth Gaz|Elizabeth Liz Beth Betty Lizzie|\
    Margaret Maggie Peggy Meg|Mary Molly May Maria|Catherine Cathy Kate Katie Cath|Katherine Kathy Kate Katie|\
    Kathleen Kath Kathy|Patricia Pat Trish|Jennifer Jenny Jen|Susan Sue Susie|Barbara Barb Babs|Dorothy Dot Dolly|\
    Deborah Debbie Deb|Rebecca Becky Becca|Victoria Vicky Tori|Christine Chris Chrissie|Samantha Sam|Jacqueline Jackie|\
    Amanda Mandy|Pamela Pam|Teresa Terry Tess|Judith Judy|Joanne Jo|Josephine Jo Josie|Abigail Abby|Frances Fran|\
    Gillian Gill|Valerie Val|Janet Jan|Isabella Bella Izzy|Charlotte Lottie|Eleanor Ellie Nell|Emily Em|Olivia Liv|\
    Nicola Nicky|Michelle Shell|Alison Ali|Natalie Nat|Stephanie Steph|Veronica Ronnie|Winifred Win|Florence Flo|\
    Millie Mildred|Rosemary Rose|Maureen Mo|Kathleen Kay|Bridget Bridie Breda|Siobhan Shevaun|Sean Shaun Shane|\
    Conor Connor|Katarzyna Kasia Catherine|Małgorzata Gosia Margaret|Agnieszka Aga Agnes|Aleksandra Ola|Tomasz Tomek Thomas|\
    Krzysztof Chris|Piotr Peter|Michał Michael|Jakub Kuba|Joanna Asia|Magdalena Magda|Alexandru Alex|Ștefan Stefan Stephen|\
    Gheorghe George|Ioana Joanna|Andreea Andrea|Mihai Michael|Oluwaseun Seun|Oluwatobi Tobi|Chukwuemeka Emeka|\
    Babatunde Tunde|Temitope Tope|Funmilayo Funmi|Harpreet Harry|Gurpreet Gopi|Rajesh Raj|Rajinder Raj|Sukhdev Sukh|\
    Jaswinder Jas|Kulwinder Kully|Manjit Mani|Balwinder Bal|Mohammed Mo|Muhammad Mo|Abdirahman Abdi";

/// Spellings of one name.
const SPELLINGS: &str = "Mohammed Muhammad Mohammad Mohamed Muhammed Mohamad Md|Hussain Hussein Husain Hossain|Ahmed Ahmad \
    Ahmet|Chaudhry Choudhury Chowdhury Chaudhary Choudhry|Fatima Fatema Fathima Fatimah|Aisha Ayesha Aysha Aishah|Yusuf \
    Yousuf Youssef Yousef Yusef|Begum Begom Begam|Khatun Khatoon Khatum|Akhtar Akter Akther Akhter|Parveen Parvin Perveen|\
    Miah Mia Miya Miyah|Uddin Udin|Rehman Rahman|Zainab Zaynab Zeinab|Maryam Mariam Maryum Miriam|Abdul Abdool|Usman Osman \
    Uthman|Iqbal Eqbal|Mahmood Mahmud Mehmood Mahmoud|Kauser Kausar Kousar|Khadija Khadijah Khadeja|Omar Umar|Hassan Hasan|\
    Ibrahim Ebrahim|Khalid Khaled|Tariq Tarek Tarik|Said Saeed Sayed|Siddique Siddiqui Sadiq|Qureshi Qureishi Koreshi|Sheikh \
    Shaikh Sheik|Yasmin Yasmeen Jasmin|Nasreen Nasrin|Shazia Shaziya|Rukhsana Ruksana|Halima Haleema|Amina Aminah Aamina|Ismail \
    Ismael Esmail|Haroon Harun|Bilal Belal|Javed Jawed|Arif Areef|Nur Noor Nour|Salma Selma|Layla Leila Laila|Zahra Zara|\
    Singh Sing|Kaur Kour|Gurpreet Gurprit|Harpreet Harprit|Manjit Manjeet|Baljit Baljeet|Jasvir Jasveer|Gill Gil|Dhillon Dhilon|\
    Sahota Sohota|Patel Patil|Joshi Joshy|Chauhan Chohan|Mistry Mistri|Priya Preya|Pooja Puja|Geeta Gita|Meena Mina|Kavita Kaveeta|\
    Wiśniewski Wisniewsky|Wójcik Wojcick|Krzysztof Kristof|Agnieszka Agnieska|Tomasz Tomas|Jakub Jacub|Szymon Simon|\
    Wojciech Wojtek|Ștefan Stefan|Mihai Mihay|Cătălin Catalyn|Popescu Popesku|Ionuț Ionutz|\
    Zhang Chang Cheung|Wang Wong|Chen Chan|Liu Lau|Huang Wong|Zhao Chiu|Wu Ng|Yang Yeung|Li Lee|Xu Hsu|Zhou Chow|Lin Lam|\
    Abdirahman Abdurahman Abdulrahman|Abdullah Abdulla Abdallah|Hodan Hoden|Warsame Warsama|Jama Jamac|Mohamud Mohamoud Mahamud|\
    Ngozi Ngosi|Adebayo Adebayor|Kwame Kwami|Osei Osey|Boateng Boatang|Ayodele Ayodeli|Yetunde Yetundi|Okafor Okafo|\
    Siobhan Siobhain|Niamh Neve Neeve|Aoife Eefa|Ciara Keira Kiera|Sinead Shinead|Caoimhe Keeva|Padraig Patraic|Eoin Owen";

/// The groups, ready to be asked.
#[derive(Debug)]
pub struct Variants {
    nicknames: HashMap<&'static str, Vec<&'static str>>,
    spellings: HashMap<&'static str, Vec<&'static str>>,
}

impl Variants {
    /// Reads the groups.
    #[must_use]
    pub fn new() -> Variants {
        let mut nicknames: HashMap<_, Vec<_>> = HashMap::new();
        for group in groups(NICKNAMES) {
            nicknames.entry(group[0]).or_default().extend(&group[1..]);
        }
        let mut spellings: HashMap<_, Vec<_>> = HashMap::new();
        for group in groups(SPELLINGS) {
            for &name in &group {
                spellings.entry(name).or_default().extend(group.iter().filter(|&&other| other != name));
            }
        }
        Variants { nicknames, spellings }
    }

    /// What somebody of that name is called; none if the name has no short form.
    pub fn nickname(&self, draw: &mut Draw, given: &str) -> Option<String> {
        self.nicknames.get(given).map(|names| (*draw.of(names)).to_owned())
    }

    /// Another spelling of a name; none if it has only one.
    pub fn spelling(&self, draw: &mut Draw, name: &str) -> Option<String> {
        self.spellings.get(name).map(|names| (*draw.of(names)).to_owned())
    }
}

impl Default for Variants {
    fn default() -> Variants {
        Variants::new()
    }
}

fn groups(list: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    list.split('|').map(|group| group.split_whitespace().collect())
}
