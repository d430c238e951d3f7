use super::*;

impl State {
    /// Asserts that what was settled part by part is what the rules make of everything at once.
    pub fn check_whole(&self) {
        let everybody: Vec<Row> = (0..).take(self.held.len()).map(Row).collect();
        let block = self.block(&everybody);
        let verdict = self.verdict(self.means(), &block, &self.decisions_on(&block));
        assert_eq!(self.derive_all(), self.decisions, "what is decided follows from the journal");
        for person in &verdict.persons {
            let person: Vec<Row> = person.iter().map(|(row, _)| *row).collect();
            for row in &person {
                assert_eq!(self.members(*row), person);
                let id = self.id_of(*row).expect("a live registration belongs to a person");
                assert_eq!(self.members(self.carriers[&id]), person, "an id leads to those it names");
            }
        }
        let listed: BTreeSet<_> = self.reviews.iter().map(|r| (r.doubt, r.evidence.0, r.a, r.b)).collect();
        let doubted: BTreeSet<_> = verdict.doubted.iter().map(|d| (d.doubt, d.evidence, d.a, d.b)).collect();
        assert_eq!(listed, doubted);
        assert_eq!(self.review_counts.values().sum::<u64>() as usize, self.reviews.len());
        for review in &self.reviews {
            assert_eq!(review.reach.0, self.members(review.a).len() + self.members(review.b).len());
        }
        assert_eq!(self.clusters.len(), verdict.persons.iter().filter(|p| p.len() > 1).count());
        for (id, row) in &self.carriers {
            let carried = self.further_ids.get(row).into_iter().flatten().chain(&self.get(*row).id);
            assert!(carried.into_iter().any(|aged| aged.id == *id), "every id is carried");
        }
        let live = |rows: &[Row]| rows.iter().all(|row| self.get(*row).live);
        assert!(self.by_number.values().all(|rows| live(rows)));
        let known: u64 = self.feeds.values().map(|feed| feed.registrations).sum();
        assert_eq!(known as usize, self.held.iter().filter(|held| held.live).count());
    }
}
