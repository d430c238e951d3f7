use super::*;

fn run(input: &str, model: ModelChoice) -> (Result<Linked, OfflineError>, String, String) {
    let (mut links, mut pairs) = (Vec::new(), Vec::new());
    let outputs = Outputs { links: &mut links, pairs: Some(&mut pairs) };
    let options = Options { model, threshold: 0.999, threads: 2, superseded: Superseded::default() };
    let linked = link(input.as_bytes(), outputs, &options, &|_| ());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (linked, text(links), text(pairs))
}

const PEOPLE: &str = "\
local_id,source,ignored,given,family,birth_date,sex,line1,postcode
1,gp,x,Rosalind,Featherstone,1958-03-14,F,14 Rise Road,LS6 2AB
\"2,\"\"b\"\"\",gp,x,ROSE,FEATHERSTONE,14/03/1958,female,14 Rise Rd,ls62ab
3,hospital,x,Ian,Ogden,1971-01-09,M,3 Mill Lane,HU1 1AA
";

fn enterprise_ids(links: &str) -> Vec<&str> {
    links.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect()
}

#[test]
fn a_file_is_linked() {
    let (linked, links, pairs) = run(PEOPLE, ModelChoice::BuiltIn);
    let report = linked.unwrap().report;
    let ids = enterprise_ids(&links);
    assert!(ids[0] == ids[1] && ids[0] != ids[2], "{links}");
    assert!(links.contains("gp,\"2,\"\"b\"\"\",") && links.starts_with("source,local_id,enterprise_id\n"));
    assert_eq!((report.registrations, report.persons, report.links), (3, 2, 1));
    assert!(pairs.starts_with("source_a,local_id_a,source_b,local_id_b,probability\ngp,1,gp,"), "{pairs}");
}

#[test]
fn the_order_of_rows_changes_nothing() {
    let mut lines: Vec<&str> = PEOPLE.lines().collect();
    lines[1..].reverse();
    let (_, links, _) = run(PEOPLE, ModelChoice::BuiltIn);
    let (_, reversed, _) = run(&lines.join("\n"), ModelChoice::BuiltIn);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&links), sorted(&reversed));
}

#[test]
fn training_on_next_to_nothing_is_no_nonsense() {
    for input in [PEOPLE, "local_id\n", "local_id\n1\n2\n", "local_id,given\n1,Ann\n2,Ann\n"] {
        let (linked, _, pairs) = run(input, ModelChoice::Train { seed: 1 });
        let model = linked.unwrap().model;
        let mut file = Vec::new();
        model.write(&mut file).unwrap();
        let again = Model::read(&file[..]).unwrap();
        assert_eq!(again.file(), model.file());
        assert!(!pairs.contains("NaN"), "{pairs}");
    }
}

#[test]
fn training_is_the_same_on_any_number_of_threads() {
    let mut input = String::from("local_id,given,family,birth_date,line1,postcode\n");
    for row in 0..600 {
        let person = row % 400;
        let family = ["Smith", "Khan", "Nowak", "Okafor"][person % 4];
        let given = ["Ann", "Bilal", "Chidi", "Dorota", "Ewan"][person % 5];
        input += &format!(
            "{row},{given},{family},19{:02}-0{}-1{},{person} High Street,LS{} 2AB\n",
            person % 90,
            1 + person % 9,
            person % 7,
            1 + person % 20
        );
    }
    let model = |threads| {
        let options = Options {
            model: ModelChoice::Train { seed: 3 },
            threshold: 0.999,
            threads,
            superseded: Superseded::default(),
        };
        let (mut links, mut pairs) = (Vec::new(), Vec::new());
        let outputs = Outputs { links: &mut links, pairs: Some(&mut pairs) };
        let linked = link(input.as_bytes(), outputs, &options, &|_| ()).unwrap();
        (linked.model.file().clone(), links, pairs)
    };
    assert_eq!(model(1), model(2));
    assert_eq!(model(1), model(5));
}

#[test]
fn a_wrong_file_is_refused_in_words() {
    for (input, words) in [
        ("given,family\nA,B\n", "no column `local_id`"),
        ("local_id,given,Given\n1,a,b\n", "`given` twice"),
        ("local_id,given\n1,a\n,b\n", "line 3"),
    ] {
        let (linked, _, _) = run(input, ModelChoice::BuiltIn);
        let message = linked.err().unwrap().to_string();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn rubbish_is_survived() {
    let input = b"local_id,given,family,birth_date,nhs_number\n1,\xff\xfe,O'B;--,99999999,0000000000\n2,,,0001-01-01\n3,,,,,,,,\n";
    let (mut links, options) = (
        Vec::new(),
        Options { model: ModelChoice::BuiltIn, threshold: 0.999, threads: 1, superseded: Superseded::default() },
    );
    let linked = link(&input[..], Outputs { links: &mut links, pairs: None }, &options, &|_| ()).unwrap();
    assert_eq!(linked.report.registrations, 3);
    assert_eq!(linked.report.quality.nhs_number_malformed, 1);
}

#[test]
fn superseded_numbers_are_followed() {
    let people = "\
local_id,source,nhs_number,nhs_number_verified,given,family,birth_date,sex,line1,postcode
1,gp,9434765919,1,Rosalind,Featherstone,1958-03-14,F,14 Rise Road,LS6 2AB
2,gp,9990000018,1,Rosalind,Featherstone,1958-03-14,F,14 Rise Road,LS6 2AB
";
    let numbers = "current,old\n9990000026,9990000018\n999 000 0018,943 476 5919\n9990000019,9434765919\n";
    let linked = |superseded| {
        let mut links = Vec::new();
        let options = Options { model: ModelChoice::BuiltIn, threshold: 0.999, threads: 1, superseded };
        link(people.as_bytes(), Outputs { links: &mut links, pairs: None }, &options, &|_| ()).unwrap().report.persons
    };
    assert_eq!(linked(Superseded::default()), 2, "two verified numbers are two persons");
    let mut superseded = Superseded::default();
    let file = read_superseded(numbers.as_bytes(), &mut superseded, NhsNumber::parse).unwrap();
    assert_eq!((file.news.len(), file.known), (2, 0));
    assert_eq!(file.refused.iter().map(|refused| refused.line).collect::<Vec<_>>(), [4]);
    assert!(file.refused[0].why.contains("`current` is no NHS number"), "{:?}", file.refused);
    assert_eq!(linked(superseded.clone()), 1, "whose current number is one");
    let again = read_superseded(numbers.as_bytes(), &mut superseded, NhsNumber::parse).unwrap();
    assert_eq!((again.news.len(), again.known), (0, 2));
    let cycle = read_superseded("old,current\n9990000026,9434765919\n".as_bytes(), &mut superseded, NhsNumber::parse);
    assert!(cycle.unwrap().refused[0].why.contains("replaced by the old one"));
    let wrong = read_superseded("old,new\n".as_bytes(), &mut superseded, NhsNumber::parse).unwrap_err();
    assert!(wrong.to_string().contains("`current`"), "{wrong}");
}
