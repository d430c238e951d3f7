//! Part of a UK postcode, which is what people at a desk often know: the district ("B42") or the sector ("B42 1").
//! Pure. The British Standard for postcodes is BS 7666.

use crate::compare::Comparison;
use crate::levels::{Field, place};
use crate::model::Model;
use crate::normalise::place::Postcode;
use crate::population::Population;
use crate::score::{Score, Sums};

/// The district of a postcode, and perhaps the sector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PostcodePart {
    /// Any postcode of that district, or sector.
    sample: Postcode,
    has_sector: bool,
}

impl PostcodePart {
    /// Reads "B42", "B42*", "B42 1" or "B421". `None` if it is a whole postcode, or no part of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<PostcodePart> {
        let text = text.trim().trim_end_matches('*');
        let whole = |rest: &str| {
            Some(Postcode::parse(&format!("{text}{rest}"))).filter(|code| !code.is_missing() && !code.is_foreign())
        };
        if whole("").is_some() {
            return None;
        }
        let says_sector = text.split_whitespace().count() == 2;
        let district = whole("0AA").filter(|_| !says_sector).map(|sample| PostcodePart { sample, has_sector: false });
        district.or_else(|| whole("AA").map(|sample| PostcodePart { sample, has_sector: true }))
    }

    fn level(self, other: Postcode) -> u8 {
        match () {
            () if other.is_missing() => 0,
            () if other.is_foreign() => place::DIFFERENT,
            () if self.has_sector && self.sample.sector() == other.sector() => place::SECTOR,
            () if self.sample.outward() == other.outward() => place::DISTRICT,
            () if self.sample.area() == other.area() => place::AREA,
            () => place::DIFFERENT,
        }
    }

    /// Whether two whole addresses that compare at `level` agree in this part.
    const fn is_shared_at(self, level: u8) -> bool {
        match level {
            place::STREET | place::LONG_STREET | place::AREA | place::DIFFERENT => false,
            place::DISTRICT => !self.has_sector,
            _ => true,
        }
    }
}

/// How far part of a postcode agrees with what a row says of its address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PartAgreement {
    part: PostcodePart,
    level: u8,
}

impl PartAgreement {
    /// Whether the row has a postcode at all.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.level != 0
    }

    /// In words, such as "the same postcode district".
    #[must_use]
    pub fn words(self) -> &'static str {
        Field::Place.words(self.level)
    }
}

impl Population {
    /// How far part of a postcode agrees with any address of a row, present or past.
    #[must_use]
    pub fn postcode_part(&self, part: PostcodePart, row: u32) -> PartAgreement {
        let side = self.side(row);
        let former = side.former.map_or(&[][..], |former| &former.places);
        let places = [side.record.place].into_iter().chain(former.iter().copied());
        // The lower a level, the better; 0 says nothing.
        let level = places.map(|place| part.level(place.postcode)).filter(|level| *level != 0).min().unwrap_or(0);
        PartAgreement { part, level }
    }
}

impl Model {
    /// Scores a comparison without addresses beside which part of a postcode is known. That it agrees is as likely, in
    /// each class, as all the ways together in which whole addresses may agree in it.
    #[must_use]
    pub fn score_with_part(&self, comparison: &Comparison, agreement: PartAgreement) -> Score {
        if !agreement.is_known() {
            return self.score(comparison);
        }
        let agrees = agreement.part.is_shared_at(agreement.level);
        let [mut matched, mut household, mut stranger] = [0.0; 3];
        let fields = self.file().fields.iter().filter(|field| field.field == Field::Place.name());
        for (shares, level) in fields.flat_map(|field| field.levels.iter().zip(1_u8..)) {
            if agreement.part.is_shared_at(level) == agrees {
                matched += shares.matched;
                household += shares.household;
                stranger += shares.stranger;
            }
        }
        self.score_with(
            comparison,
            Sums { matched: (matched / stranger).log2(), household: (household / stranger).log2() },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn districts_and_sectors_are_parts_and_nothing_else_is() {
        let part = |text| PostcodePart::parse(text).map(|part| part.has_sector);
        for (text, expected) in [
            ("B42", Some(false)),
            ("b42*", Some(false)),
            ("EC1A", Some(false)),
            ("B42 1", Some(true)),
            ("B421", Some(true)),
            ("B4 2", Some(true)),
            ("B42 1RZ", None),
            ("B", None),
            ("", None),
            ("12345", None),
        ] {
            assert_eq!(part(text), expected, "{text}");
        }
    }

    #[test]
    fn a_part_agrees_as_far_as_it_goes() {
        let level = |part, code| PostcodePart::parse(part).unwrap().level(Postcode::parse(code));
        assert_eq!(level("B42", "B42 1RZ"), place::DISTRICT);
        assert_eq!(level("B42 1", "B42 1RZ"), place::SECTOR);
        assert_eq!(level("B42 2", "B42 1RZ"), place::DISTRICT);
        assert_eq!(level("B42", "B12 1RZ"), place::AREA);
        assert_eq!(level("B42", "LS6 2AB"), place::DIFFERENT);
        assert_eq!(level("B42", ""), 0);
        assert_eq!(level("B42", "75001"), place::DIFFERENT);
    }
}
