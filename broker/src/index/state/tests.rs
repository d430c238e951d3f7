use super::*;

impl State {
    /// Whether its source changed a registration into somebody else.
    pub fn is_suspended(&self, row: Row) -> bool {
        self.decisions.suspended().contains_key(&row)
    }

    /// Asserts that nothing tells two states of one history apart, down to what is made again at a start.
    pub fn check_same(&self, other: &State) {
        self.check_same_persons(other);
        assert_eq!(self.sections(), other.sections());
        assert_eq!(self.places, other.places);
        assert_eq!(self.by_number, other.by_number);
        assert_eq!(self.carriers, other.carriers);
        // How far feeds are is no event.
        let counted = |state: &State| {
            let known = |feed: &Feed| (feed.registrations, feed.unusable_numbers);
            let feeds = state.feeds.iter().filter(|(_, feed)| feed.registrations > 0);
            feeds.map(|(source, feed)| (source.clone(), known(feed))).collect::<Vec<_>>()
        };
        assert_eq!(counted(self), counted(other));
        let clusters = |state: &State| {
            let clusters = state.clusters.iter().map(|(first, c)| (*first, (c.rows.clone(), c.id.map(|aged| aged.id))));
            clusters.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(clusters(self), clusters(other));
        let reviews_of = |state: &State| {
            let of = state.reviews_of.iter().map(|(row, reviews)| (*row, reviews.iter().copied().collect()));
            of.collect::<BTreeMap<Row, BTreeSet<Review>>>()
        };
        assert_eq!(reviews_of(self), reviews_of(other));
        let bodies = |state: &State| state.held.iter().map(|held| held.body.clone()).collect::<Vec<_>>();
        assert_eq!(bodies(self), bodies(other));
    }

    /// All that is written of it.
    pub fn sections(&self) -> Vec<(Section, Vec<u8>)> {
        let mut sections = Vec::new();
        self.save(&mut |section, bytes| {
            sections.push((section, bytes));
            Ok(())
        })
        .unwrap();
        sections
    }

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

impl State {
    /// Asserts that a fresh build of the same registrations and decisions, all at once, comes to the same persons.
    pub fn check_rebuilt(&self) {
        let mut fresh = State { scoring: self.scoring.clone(), policy: self.policy, ..State::default() };
        fresh.superseded = self.superseded.clone();
        fresh.decisions = self.decisions.clone();
        for held in &self.held {
            let row = fresh.place(&held.key);
            if held.live {
                fresh.set_content(row, &held.body, held.changed);
            }
            fresh.get_mut(row).id = held.id;
        }
        fresh.population.index_bulk(1);
        fresh.settle_all();
        fresh.check_same_persons(self);
    }

    fn check_same_persons(&self, other: &State) {
        assert_eq!(self.held.len(), other.held.len());
        for (own, its) in self.held.iter().zip(&other.held) {
            assert_eq!((&own.key, own.live, own.person, own.rule), (&its.key, its.live, its.person, its.rule));
            assert!(own.id == its.id && (!own.live || (own.facts == its.facts && own.body == its.body)));
        }
        let persons = |state: &State| -> BTreeMap<Row, (Vec<Row>, Option<EnterpriseId>)> {
            let cluster = |(row, cluster): (&Row, &Cluster)| (*row, (cluster.rows.clone(), cluster.id.map(|id| id.id)));
            state.clusters.iter().map(cluster).collect()
        };
        assert_eq!(persons(self), persons(other));
        assert_eq!(self.reviews, other.reviews);
    }
}
