//! Groups the entries of one dataset. First what came from one origin, by whatever routes (ORIGIN-1); then what says
//! the same (one rule for each dataset that has one). Statements that none are known are never grouped (ABSENCE-1).

use super::{
    Scoped,
    canon::Canon,
    content::{self, ContentKey, Said},
    head::Head,
    rules::Rules,
    statement::{ContentRule, Thing, content_rule},
};
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use severn_proto::v1::{Assertion, EntryStatus};
use smallvec::SmallVec;

/// The rules by which a group came about.
#[derive(Clone, Copy, Default)]
pub(super) struct GroupedBy {
    /// One source sent the same entry more than once (SAME-1).
    pub(super) same: bool,
    /// One origin (ORIGIN-1).
    pub(super) origin: bool,
    /// The dataset's own rule.
    pub(super) content: Option<&'static str>,
}

/// Positions of a group's entries; most groups have one.
pub(super) type Members = SmallVec<[usize; 2]>;

/// Entries that make one item.
pub(super) struct Group {
    /// Canonical positions, ascending. At least one.
    pub(super) members: Members,
    /// The rules by which they were grouped.
    pub(super) by: GroupedBy,
    /// One of them, or one with the same origin, was entered in error (RETRACT-1).
    pub(super) retracted: bool,
    /// They are versions of one statement that differ (CONFLICT-5).
    pub(super) versions_differ: bool,
}

/// One source, and one organisation by its ODS code (empty if unknown).
pub(super) type Teller<'e> = (u32, &'e str);

impl Group {
    /// Who tells of it: the one source that sent it all, with the one organisation that recorded it all; `None` if there
    /// are several.
    pub(super) fn teller<'e>(&self, canon: &Canon<'_, 'e>) -> Option<Teller<'e>> {
        self.common(|position| (canon.source[position], content::organisation(canon.heads[position])))
    }

    /// The one source that sent it all; `None` if there are several.
    pub(super) fn source(&self, canon: &Canon<'_, '_>) -> Option<u32> {
        self.common(|position| canon.source[position])
    }

    /// What is equal of all its members.
    fn common<T: PartialEq>(&self, of: impl Fn(usize) -> T) -> Option<T> {
        let first = of(self.members[0]);
        self.members.iter().all(|position| of(*position) == first).then_some(first)
    }
}

/// Makes the groups of one dataset, ordered by their first member.
pub(super) fn groups(scoped: &Scoped<'_, '_>, canon: &Canon<'_, '_>) -> Vec<Group> {
    let mut joined = Joined::new(canon.heads.len());
    join_same(canon, &mut joined);
    let mut absences = join_origins(canon, &mut joined);
    let retracted = retracted(scoped, canon, &mut joined, &mut absences);
    let rule = content_rule(scoped.dataset);
    let differing = differing(rule.as_ref().map(|rule| (rule.thing, scoped.rules)), canon, &mut joined);
    if let Some(rule) = rule {
        join_content((scoped.rules, &rule), canon, &mut joined, &retracted);
    }
    collect(canon, &mut joined, &retracted, &differing)
}

/// Whether an entry states that there is nothing of the kind.
pub(super) fn is_absence(head: &Head<'_>) -> bool {
    head.assertion() == Assertion::NoneKnown
}

fn join_same(canon: &Canon<'_, '_>, joined: &mut Joined) {
    for position in 1..canon.heads.len() {
        let (Some(one), Some(two)) = (canon.repeated.get(&(position - 1)), canon.repeated.get(&position)) else {
            continue;
        };
        let same = one.first == two.first && one.digest == two.digest;
        if same && !is_absence(canon.heads[position]) {
            joined.join(position - 1, position);
            joined.by[position].same = true;
        }
    }
}

/// Joins what shares an origin identifier. Absence statements are joined apart, only to find their retractions.
fn join_origins(canon: &Canon<'_, '_>, joined: &mut Joined) -> Joined {
    let mut absences = Joined::new(if canon.heads.iter().any(|head| is_absence(head)) { canon.heads.len() } else { 0 });
    let mut first: HashMap<(bool, &str, &str, &str), usize> = HashMap::with_capacity(canon.heads.len());
    for (position, head) in canon.heads.iter().enumerate() {
        let absence = is_absence(head);
        for origin in head.origins.iter().filter(|origin| !origin.system.is_empty() && !origin.value.is_empty()) {
            let key = (absence, origin.system, origin.value, origin.organisation_ods);
            let known = *first.entry(key).or_insert(position);
            if known == position {
                continue;
            }
            if absence {
                absences.join(known, position);
            } else {
                joined.join(known, position);
                joined.by[position].origin = true;
            }
        }
    }
    absences
}

/// Which entries are, or share an origin with, one that was entered in error.
fn retracted(scoped: &Scoped<'_, '_>, canon: &Canon<'_, '_>, joined: &mut Joined, absences: &mut Joined) -> Vec<bool> {
    let roots: Vec<usize> = (0..canon.heads.len())
        .map(|position| if is_absence(canon.heads[position]) { absences.root(position) } else { joined.root(position) })
        .collect();
    let mut retracted = vec![false; canon.heads.len()];
    let in_error = |head: &Head<'_>| head.status() == EntryStatus::EnteredInError;
    // What its source withdrew under an id is withdrawn in every version that it sent under that id (RETRACT-2).
    let in_order = (0..canon.heads.len()).filter(|_| !canon.repeated.is_empty());
    let withdrawn = in_order.filter(|position| in_error(canon.heads[*position]));
    let withdrawn: HashSet<usize> = withdrawn.filter_map(|at| Some(canon.repeated.get(&at)?.first)).collect();
    for (position, (root, head)) in roots.iter().zip(&canon.heads).enumerate() {
        let same_id = || canon.repeated.get(&position).is_some_and(|repeated| withdrawn.contains(&repeated.first));
        retracted[*root] |= in_error(head) || scoped.retractions.cover(head) || same_id();
    }
    roots.into_iter().map(|root| retracted[root]).collect()
}

/// Joins groups of which every member says the same. Left apart: absence statements, what is kept as text, what was
/// retracted, entries whose source gave their id twice, and versions that differ.
fn join_content<'e>(
    (rules, rule): (&'e Rules, &ContentRule),
    canon: &Canon<'e, '_>,
    joined: &mut Joined,
    retracted: &[bool],
) {
    // What all of a group say, at the place of its root.
    let mut keys: Vec<Option<ContentKey<'e>>> = Vec::with_capacity(canon.heads.len());
    for (position, head) in canon.heads.iter().enumerate() {
        let root = joined.root(position);
        let apart = is_absence(head) || head.as_text || retracted[position] || canon.id_clashes(position);
        let key = if apart { None } else { content::content_key(rule, rules, head) };
        if root == position {
            keys.push(key);
        } else {
            keys.push(None);
            if keys[root] != key {
                keys[root] = None;
            }
        }
    }
    let mut first: HashMap<ContentKey<'e>, usize> = HashMap::with_capacity(keys.len());
    let alike = keys.into_iter().enumerate().map(|(root, key)| Some(*first.entry(key?).or_insert(root)));
    let alike: Vec<Option<usize>> = alike.collect();
    let counted_apart = counted_apart(canon, joined, &alike);
    for (root, first) in alike.into_iter().enumerate() {
        if let Some(first) = first.filter(|first| *first != root && !counted_apart.contains(first)) {
            joined.join(first, root);
            joined.by[root].content = Some(rule.id);
        }
    }
}

/// Which of those that say the same may have been told apart where they were made: one organisation gave two of them two
/// identifiers of one system (ORIGIN-2), or two that it recorded carry identifiers of which they share none (ORIGIN-3).
/// Named by the first of them.
fn counted_apart(canon: &Canon<'_, '_>, joined: &mut Joined, alike: &[Option<usize>]) -> HashSet<usize> {
    let mut several = vec![false; alike.len()];
    for (root, first) in alike.iter().enumerate() {
        if let Some(first) = first.filter(|first| *first != root) {
            several[first] = true;
        }
    }
    let mut given: HashMap<(usize, &str, &str), (&str, usize)> = HashMap::new();
    let mut recorded: HashMap<(usize, &str), usize> = HashMap::new();
    let mut apart = HashSet::new();
    for (position, head) in canon.heads.iter().enumerate() {
        let root = joined.root(position);
        let Some(first) = alike[root].filter(|first| several[*first]) else { continue };
        let mut origins = head.origins.iter().filter(|o| !o.system.is_empty() && !o.value.is_empty()).peekable();
        let organisation = content::organisation(head);
        if origins.peek().is_some() && !organisation.is_empty() {
            let before = *recorded.entry((first, organisation)).or_insert(root);
            if before != root {
                apart.insert(first);
            }
        }
        for origin in origins {
            let own = (origin.value, root);
            let before = *given.entry((first, origin.system, origin.organisation_ods)).or_insert(own);
            if before.0 != own.0 && before.1 != own.1 {
                apart.insert(first);
            }
        }
    }
    apart
}

/// Which entries are versions of one statement that differ from one before them. Asked before what says the same is
/// joined: another source's own statement is no version of this one.
fn differing<'e>(by: Option<(Thing, &'e Rules)>, canon: &Canon<'e, '_>, joined: &mut Joined) -> Vec<bool> {
    let mut differing = vec![false; canon.heads.len()];
    let mut said: HashMap<usize, Said<'_>> = HashMap::new();
    for position in 0..canon.heads.len() {
        if joined.by[position].origin {
            said.insert(joined.root(position), Said::default());
        }
    }
    if said.is_empty() {
        return differing;
    }
    for (position, head) in canon.heads.iter().enumerate() {
        let root = joined.root(position);
        differing[position] = said.get_mut(&root).is_some_and(|said| said.differs(by, head));
    }
    differing
}

fn collect(canon: &Canon<'_, '_>, joined: &mut Joined, retracted: &[bool], differing: &[bool]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut of_root = vec![0; canon.heads.len()];
    for position in 0..canon.heads.len() {
        let root = joined.root(position);
        if root == position {
            of_root[root] = groups.len();
            let retracted = retracted[position];
            groups.push(Group { members: Members::new(), by: GroupedBy::default(), retracted, versions_differ: false });
        }
        let group = &mut groups[of_root[root]];
        group.members.push(position);
        let by = joined.by[position];
        group.by.same |= by.same;
        group.by.origin |= by.origin;
        group.by.content = group.by.content.or(by.content);
        group.versions_differ |= differing[position] && !group.retracted;
    }
    groups
}

/// Positions joined into sets; the root of a set is its smallest position, whatever the order of joining.
struct Joined {
    parent: Vec<usize>,
    by: Vec<GroupedBy>,
}

impl Joined {
    fn new(positions: usize) -> Joined {
        Joined { parent: (0..positions).collect(), by: vec![GroupedBy::default(); positions] }
    }

    fn root(&mut self, mut position: usize) -> usize {
        while self.parent[position] != position {
            self.parent[position] = self.parent[self.parent[position]];
            position = self.parent[position];
        }
        position
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}
