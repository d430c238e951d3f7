//! Names of white British and Irish people, commonest first, as the birth registers and censuses rank them.

/// Boys born before 1965, after it, and since 1995.
pub const MALE: [&str; 3] = [
    "John David Peter Michael Alan Robert Brian William James Anthony Ronald Kenneth Derek George Roy Thomas Raymond \
     Dennis Barry Colin Keith Roger Terence Geoffrey Malcolm Graham Trevor Leslie Frank Arthur Norman Eric Stanley Albert \
     Gordon Patrick Edward Charles Donald Douglas Maurice Leonard Frederick Harold Ernest Reginald Bernard Clive Neville \
     Cyril Walter Gerald Victor Sidney Herbert Hugh Lawrence Stuart Ivan Horace Cecil Wilfred Clifford Percy Alec",
    "Paul David Andrew Mark Stephen Christopher Richard Ian Simon Michael Gary Steven Matthew Lee Jonathan Neil Daniel \
     Philip James Nicholas Kevin Darren Martin Adam Jason Stuart Craig Robert Wayne Ryan Benjamin Thomas Anthony Carl \
     Gareth Timothy Dean Scott Adrian Russell Duncan Nigel Shaun Graham Glenn Marc Justin Damian Edward Alexander Ross \
     Barry Leon Julian Gavin Karl Jamie Nathan Robin Colin Samuel Jeremy Antony Guy Howard Terry Tony Roland Giles",
    "Oliver Jack Harry George Noah Charlie Jacob Alfie Freddie Oscar Leo Thomas Joshua Daniel William James Ethan Archie \
     Max Henry Isaac Lucas Logan Joseph Samuel Benjamin Mason Harrison Finley Theo Arthur Alexander Edward Sebastian \
     Liam Callum Connor Jake Luke Adam Ryan Nathan Tyler Lewis Kieran Reece Bradley Jayden Toby Harvey Riley Dylan Elliot \
     Louis Zachary Reuben Jude Hugo Rory Felix Jenson Kai Aaron Corey Ashton Bailey Ellis Owen Rhys Stanley Ralph Otis",
];

/// Girls born before 1965, after it, and since 1995.
pub const FEMALE: [&str; 3] = [
    "Margaret Jean Mary Joan Patricia Sheila Barbara Doreen June Shirley Dorothy Joyce Maureen Elizabeth Audrey Brenda \
     Kathleen Sylvia Eileen Pamela Betty Beryl Ann Irene Marjorie Christine Janet Carol Linda Susan Jacqueline Rosemary \
     Valerie Josephine Gillian Judith Pauline Marion Wendy Diane Hazel Iris Vera Edna Hilda Phyllis Gladys Norma Thelma \
     Muriel Winifred Ivy Florence Elsie Doris Nora Ethel Constance Freda Rita Veronica Heather Frances Glenys Olive",
    "Sarah Susan Karen Nicola Tracey Julie Michelle Lisa Emma Claire Joanne Sharon Amanda Deborah Samantha Louise Rachel \
     Helen Jane Alison Jennifer Victoria Rebecca Kelly Angela Donna Kerry Dawn Caroline Lorraine Jacqueline Catherine \
     Anna Katherine Laura Gemma Paula Heather Andrea Mandy Elaine Wendy Lynn Tina Melanie Natalie Lesley Maria Fiona \
     Anne Denise Beverley Charlotte Zoe Hayley Leanne Stephanie Vanessa Katie Teresa Joanna Tanya Sally Ruth Yvonne",
    "Olivia Amelia Emily Isla Ava Jessica Isabella Lily Ella Mia Sophie Chloe Grace Evie Poppy Charlotte Ruby Sophia \
     Freya Daisy Alice Phoebe Florence Lucy Hannah Megan Bethany Lauren Georgia Holly Abigail Ellie Molly Amy Leah Jade \
     Caitlin Eleanor Rosie Millie Erin Scarlett Imogen Matilda Willow Elsie Ivy Harriet Maisie Evelyn Summer Eliza Zara \
     Lola Martha Niamh Rebecca Paige Courtney Shannon Elizabeth Amber Skye Libby Tilly Lydia Beatrice Heidi Orla Nancy",
];

/// Family names.
pub const FAMILY: &str = "Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans Walker \
    White Roberts Green Hall Wood Jackson Clarke Harris Clark Turner Hill Moore Cooper Ward Morris Watson Harrison Baker \
    Martin Morgan Lewis Edwards Parker Davis Hughes Phillips Allen Bennett King James Shaw Carter Cook Lee Mitchell \
    Griffiths Price Collins Bailey Richardson Marshall Cox Miller Adams Young Anderson Wilkinson Foster Ellis Mills \
    Chapman Webb Rogers Hunt Palmer Gibson Barnes Knight Matthews Powell Stevens Holmes Butler Fletcher Lloyd Russell \
    Dixon Harvey Pearson Graham Fisher Barker Owen Jenkins Hudson Scott Campbell Stewart Robertson Thomson Murray Reid \
    Kennedy Ross Henderson Paterson Morrison Fraser Gray Hamilton Johnston Duncan Ferguson Simpson Hart Cole Andrews \
    Perry Gordon Rose Lawrence Elliott Armstrong Reynolds Ford Saunders Payne Fox Pearce Day Brooks West Atkinson Lane \
    Bates Kelly Spencer Bradley Wells Stone Booth Dawson Burton Hopkins Cross Francis Ball Newton Walsh Oliver Jordan \
    Black Field Nicholls Warren Watts Gardner Burns Porter Chambers Hawkins Ryan Sutton Parsons Barrett Harding Freeman \
    Woods Carr Stephens Howard Mason Hayes Hewitt Holland Pritchard Potter Nelson Tomlinson Curtis Gill Bird Page Harper \
    Rowe Whitehouse Hadley Tranter Round Cartwright Dudley Cadman Bayliss Yardley Hickman Fellows Homer Foley Parkes \
    Wakeman Danks Rudge Tromans Attwood Westwood Partridge Timmins Onions Bagnall Southall Aston Guest Raybould Millward";

/// Beginnings of family names that are those of places: the long tail.
pub const PLACE_STEMS: &str = "Ash Bar Beck Birch Black Brad Brails Bram Brier Brom Buck Burn Cald Carl Cart Chad Charl \
    Clay Cold Comp Cran Crom Dal Dart Den Dig Dray East Edg Elm Emm Fair Farn Fen Flax Ful Glad Gran Grind Had Hal Ham \
    Har Hasel Hather Hay Hen High Hol Horn Hough Hunt Hur Ing Kel Kin Lang Law Led Ling Long Lud Mal Mar Mel Mid Mil Mor \
    Net New Nor Oak Old Or Pad Park Pem Pen Pick Pil Pres Rad Raw Red Rid Rock Roth Rush Sand Sel Shel Sher Ship Skel \
    Spar Stan Staf Stock Strat Sun Sut Swan Tad Ten Thorn Til Tre Wal War Wash Wen Whit Wick Wil Win Wood Wor Wy";

/// Endings of family names that are those of places.
pub const PLACE_ENDINGS: &str = "ton ley ford worth well field ham don combe shaw bourne wick stead hurst low den ridge \
    more thorpe land wood man cliffe bury stone dale croft gate by ell ett over mere leigh grave";

/// Irish given names: men.
pub const IRISH_MALE: &str = "Patrick Sean Michael John Conor James Liam Brendan Declan Kevin Eoin Padraig Cian Oisin \
    Aidan Ciaran Brian Cormac Fergal Seamus Diarmuid Eamon Niall Donal Gerard Kieran Rory Fionn Darragh Colm Tadhg Shane";

/// Irish given names: women.
pub const IRISH_FEMALE: &str = "Mary Bridget Siobhan Aoife Ciara Niamh Sinead Kathleen Maureen Orla Roisin Saoirse \
    Grainne Aisling Deirdre Nuala Margaret Eileen Nora Bernadette Clodagh Fionnuala Maeve Una Caoimhe Eimear Breda";

/// Irish family names.
pub const IRISH_FAMILY: &str = "Murphy Kelly O'Sullivan Walsh O'Brien Byrne Ryan O'Connor O'Neill O'Reilly Doyle \
    McCarthy Gallagher Doherty Kennedy Lynch Murray Quinn Moore McLoughlin O'Carroll Connolly Daly O'Connell Wilson \
    Dunne Brennan Burke Collins Campbell Clarke Johnston Hughes O'Farrell Fitzgerald Brown Martin Maguire Nolan Flynn \
    O'Callaghan O'Donnell Duffy Mahony Boyle Healy O'Shea White Sweeney Hayes Kavanagh Power McGrath Moran Brady \
    McDonagh McMahon O'Dwyer Regan O'Leary McKenna Casey Foley Barry Whelan McNamara O'Keeffe O'Hara McGuinness O'Rourke \
    McEvoy Crowley Hennessy O'Mahony McInerney Keane Tierney Scanlon Feeney O'Grady MacDermott Devlin Coyle Heaney";
