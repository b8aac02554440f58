//! From rules of the matrix to the tests of rows: which ids they are about comes from the links of
//! the caller.

pub mod filter;
pub mod granular;

use super::matrix::type_set::TypeSet;
use super::matrix::{Acts, Matrix, Rule, Sight};
use super::principal::Principal;
use super::role::Role;
use super::smart_scope::{Letters, Level};
use crate::fhir::definitions::ResourceType;
use crate::search::r4_parameter;
use filter::{AllProof, Attached, Listings, RowFilter, RowGroup, RowTest, Test};
use granular::{Granular, Image, Images, Only};
use std::cell::OnceCell;
use std::sync::Arc;

/// The types that scopes without search parameters give something for.
#[derive(Clone, Copy, Default)]
pub struct Cover {
    /// All that the role sees.
    pub whole: TypeSet,
    /// What is about the patient in context, and what is public.
    pub narrow: TypeSet,
    /// What is public alone.
    pub public: TypeSet,
}

impl Cover {
    /// By the scopes that have all of the letters among them. Those of a patient count where the
    /// patient in context is one whom the caller may ask about; those of users are for persons,
    /// and for a patient about what is public; those of systems are for systems. A scope with
    /// search parameters gives nothing that its query would have to tell.
    pub fn of(principal: &Principal, letters: Letters) -> Cover {
        let of_letter = |letter: Letters| Cover::of_letter(principal, letter);
        letters.each().map(of_letter).reduce(Cover::and).unwrap_or_default()
    }

    fn of_letter(principal: &Principal, letter: Letters) -> Cover {
        let mut cover = Cover::default();
        let (role, has_patient) = (principal.role, context(principal).is_some());
        for scope in principal.scopes.resources() {
            if !scope.letters.has(letter) || scope.query.is_some() {
                continue;
            }
            let set = match scope.level {
                Level::Patient if !role.is_system() && has_patient => &mut cover.narrow,
                Level::User if role == Role::Patient => &mut cover.public,
                Level::User if !role.is_system() => &mut cover.whole,
                Level::System if role.is_system() => &mut cover.whole,
                _ => continue,
            };
            match scope.resource_type {
                Some(kind) => set.insert(kind),
                None => *set = TypeSet::all(),
            }
        }
        cover
    }

    /// All types that it gives something for.
    pub fn any(self) -> TypeSet {
        self.whole.or(self.narrow).or(self.public)
    }

    /// Of other types than these alone.
    fn without(self, types: TypeSet) -> Cover {
        self.within(TypeSet::all().without(types))
    }

    /// Of these types alone.
    pub fn within(self, types: TypeSet) -> Cover {
        let Cover { whole, narrow, public } = self;
        Cover { whole: whole.and(types), narrow: narrow.and(types), public: public.and(types) }
    }

    /// What both give: of two that differ the one that gives less.
    fn and(self, other: Cover) -> Cover {
        let whole = self.whole.and(other.whole);
        let either = self.any().and(other.any());
        let patients = self.whole.or(self.narrow).and(other.whole.or(other.narrow));
        let narrow = patients.without(whole);
        Cover { whole, narrow, public: either.without(patients) }
    }
}

/// The patient in context, checked again: for a patient one of his own record or in his care as
/// a proxy. What staff may see of one is the matter of their rows.
fn context(principal: &Principal) -> Option<i64> {
    let rid = principal.launch.patient.as_ref()?.rid;
    let is_own = principal.links.patients.iter().any(|link| link.rid == rid);
    (principal.role != Role::Patient || is_own).then_some(rid)
}

/// Makes the row filters of one caller.
pub struct Rows<'a> {
    principal: &'a Principal,
    context: Option<i64>,
    /// The scopes with search parameters.
    granular: Vec<Granular>,
    reach: OnceCell<RowFilter>,
}

/// A rule for rows, with what narrows it: the patient in context, and a scope with search
/// parameters, by its place.
#[derive(Clone, Copy, PartialEq)]
struct Way {
    sight: Sight,
    about: Option<i64>,
    only: Option<usize>,
}

/// Rules for rows of some types.
type Ways = Vec<Way>;

impl<'a> Rows<'a> {
    pub fn of(principal: &'a Principal) -> Rows<'a> {
        let scopes = principal.scopes.resources();
        let of = |scope| Granular::of(scope, &principal.scopes);
        let granular = scopes.filter_map(of).collect();
        Rows { principal, context: context(principal), granular, reach: OnceCell::new() }
    }

    /// The types that scopes with search parameters give all of these letters for.
    pub fn narrowed(&self, letters: Letters) -> TypeSet {
        self.scoped(letters).map(|(_, scope)| scope.resource_type).collect()
    }

    /// The scopes with search parameters that give all of these letters, by their places.
    fn scoped(&self, letters: Letters) -> impl Iterator<Item = (usize, &Granular)> {
        let is_system = self.principal.role.is_system();
        let is_given = move |scope: &Granular| match scope.level {
            Level::Patient => !is_system && self.context.is_some(),
            Level::User => !is_system && self.principal.role != Role::Patient,
            Level::System => is_system,
        };
        let all = self.granular.iter().enumerate();
        all.filter(move |(_, scope)| scope.letters.has(letters) && is_given(scope))
    }

    /// The rows of the types that the role may do one of the acts to, by the types covered and by
    /// what scopes with search parameters give for the letters.
    pub fn filter_with(&self, acts: Acts, cover: Cover, scoped: (Letters, TypeSet)) -> RowFilter {
        let (letters, types) = scoped;
        let is_meant = |rule: &Rule| rule.acts.meets(acts);
        let own = self.narrowed(letters).and(types).without(cover.whole);
        let mut groups = self.groups(cover.without(own), &is_meant);
        for kind in own.iter() {
            let ways = self.ways(kind, &is_meant, (cover, letters));
            groups.extend(self.group(&ways, [kind].into_iter().collect()));
        }
        RowFilter::Groups(Arc::new(groups))
    }

    /// Every way in which the scopes give rows of a type, those with search parameters among them.
    fn ways(
        &self,
        kind: ResourceType,
        is_meant: &dyn Fn(&Rule) -> bool,
        (cover, letters): (Cover, Letters),
    ) -> Ways {
        let sights = self.sights(kind, is_meant);
        let mut parts = Vec::new();
        self.add_parts(&mut parts, (&sights, [kind].into_iter().collect()), cover);
        let mut ways: Ways = parts.into_iter().flat_map(|(ways, _)| ways).collect();
        for (place, scope) in self.scoped(letters).filter(|(_, s)| s.resource_type == kind) {
            let about = self.context.filter(|_| scope.level == Level::Patient);
            ways.extend(sights.iter().map(|sight| Way {
                sight: *sight,
                about: about.filter(|_| self.is_narrow(*sight)),
                only: Some(place),
            }));
        }
        ways
    }

    /// What versions of these types must be by the scopes, where these bind them: old versions by
    /// those with search parameters, new ones by the patient in context as well.
    pub fn images(&self, acts: Acts, cover: Cover, scoped: (Letters, TypeSet)) -> Images {
        let (letters, types) = scoped;
        let is_write = !(acts.meets(Acts::READ) || acts.meets(Acts::HISTORY));
        let narrowed = self.narrowed(letters);
        let bound = if is_write { narrowed.or(cover.narrow) } else { narrowed };
        let is_meant = |rule: &Rule| rule.acts.meets(acts);
        let patient = self.principal.launch.patient.as_ref().map(|link| &link.key);
        let mut images = Images::default();
        for kind in bound.and(types).without(cover.whole).iter() {
            let ways = self.ways(kind, &is_meant, (cover, letters));
            let mut of_kind: Vec<Image> = Vec::new();
            for way in &ways {
                // What is one's own is about nobody.
                let about = way.about.filter(|_| way.sight != Sight::Own);
                let query = way.only.and_then(|place| self.granular.get(place));
                let image = Image {
                    about: about.and(patient.cloned()),
                    query: query.map(|one| one.query.clone()),
                };
                if !of_kind.contains(&image) {
                    of_kind.push(image);
                }
            }
            let is_open = |image: &Image| image.about.is_none() && image.query.is_none();
            if !of_kind.iter().any(is_open) {
                images.0.push((kind, of_kind));
            }
        }
        images
    }

    /// What the role may see, whatever the scopes: narrowed to a patient where they are only
    /// about one.
    pub fn reach(&self) -> &RowFilter {
        self.reach.get_or_init(|| {
            let mut levels = self.principal.scopes.resources().map(|one| one.level);
            let all = TypeSet::all();
            let cover = match levels.all(|level| level == Level::Patient) {
                true => Cover { narrow: all, ..Cover::default() },
                false => Cover { whole: all, ..Cover::default() },
            };
            self.filter(Acts::READ, cover)
        })
    }

    /// Whether each scope with search parameters that gives the letter for the type lets what its
    /// query finds be read as well.
    pub fn reads_as(&self, letter: Letters, kind: ResourceType) -> bool {
        let mut of_kind = self.scoped(letter).filter(|(_, scope)| scope.resource_type == kind);
        of_kind.all(|(_, scope)| scope.letters.has(Letters::READ))
    }

    /// Whether some scope has search parameters.
    pub fn is_granular(&self) -> bool {
        !self.granular.is_empty()
    }

    /// The rows of the types covered that the role may do one of the acts to.
    pub fn filter(&self, acts: Acts, cover: Cover) -> RowFilter {
        RowFilter::Groups(Arc::new(self.groups(cover, &|rule| rule.acts.meets(acts))))
    }

    fn groups(&self, cover: Cover, is_meant: &dyn Fn(&Rule) -> bool) -> Vec<RowGroup> {
        let all = cover.any();
        let mut parts: Vec<(Ways, TypeSet)> = Vec::new();
        for row in &Matrix::get().rows {
            let types = row.types.and(all);
            if let Some(kind) = types.iter().next() {
                let sights = self.sights(kind, is_meant);
                self.add_parts(&mut parts, (&sights, types), cover);
            }
        }
        parts.into_iter().flat_map(|(ways, types)| self.group(&ways, types)).collect()
    }

    /// The rules by how far the scopes let them go.
    fn add_parts(
        &self,
        parts: &mut Vec<(Ways, TypeSet)>,
        (sights, types): (&[Sight], TypeSet),
        cover: Cover,
    ) {
        let whole = types.and(cover.whole);
        let narrow = types.and(cover.narrow).without(whole);
        let public = types.and(cover.public).without(whole).without(narrow);
        let narrowed = |sight: &Sight| {
            let about = self.context.filter(|_| self.is_narrow(*sight));
            Way { sight: *sight, about, only: None }
        };
        let open = |sight: &Sight| Way { sight: *sight, about: None, only: None };
        let mut add = |ways: Ways, types: TypeSet| {
            if types.is_empty() || ways.is_empty() {
                return;
            }
            match parts.iter_mut().find(|(known, _)| *known == ways) {
                Some((_, known)) => *known = known.or(types),
                None => parts.push((ways, types)),
            }
        };
        add(sights.iter().map(open).collect(), whole);
        // Without a patient in context there is nothing narrow.
        if self.context.is_some() {
            add(sights.iter().map(narrowed).collect(), narrow);
        }
        add(sights.iter().filter(|sight| sight.is_public()).map(open).collect(), public);
    }

    /// Whether the patient in context narrows it. What a patient wrote in the context of the own
    /// record belongs to it.
    fn is_narrow(&self, sight: Sight) -> bool {
        let is_itself = self.principal.role == Role::Patient
            && self.principal.links.fhir_user.as_ref().map(|link| link.rid) == self.context;
        let is_free = sight.is_public() || (is_itself && matches!(sight, Sight::Own));
        !is_free
    }

    /// Which rows of the type the role's rules give.
    fn sights(&self, kind: ResourceType, is_meant: &dyn Fn(&Rule) -> bool) -> Vec<Sight> {
        let rules = Matrix::get().rules(self.principal.role, kind);
        let mut sights: Vec<Sight> = Vec::new();
        let has_factor = self.principal.has_second_factor();
        let is_open = |rule: &&Rule| has_factor || !rule.asks_for_second_factor();
        let rules = rules.iter().filter(|rule| is_meant(rule)).filter(is_open);
        for sight in rules.flat_map(|rule| &rule.sights) {
            if !sights.contains(sight) {
                sights.push(*sight);
            }
        }
        sights
    }

    /// Groups of rows: more than one where types of the directory are listed in different ways.
    fn group(&self, ways: &Ways, types: TypeSet) -> Vec<RowGroup> {
        if !ways.iter().any(|way| matches!(way.sight, Sight::Directory)) {
            return self.tested(ways, (types, None)).into_iter().collect();
        }
        let mut groups = Vec::new();
        for has in [false, true] {
            let mut listings = Listings { pairs: Vec::new(), has };
            let mut own = TypeSet::default();
            for kind in types.iter() {
                if let Some(found) = Matrix::get().listings.get(&kind).filter(|l| l.has == has) {
                    listings.add(found);
                    own.insert(kind);
                }
            }
            groups.extend(self.tested(ways, (own, Some(listings))));
        }
        groups
    }

    fn tested(&self, ways: &Ways, of: (TypeSet, Option<Listings>)) -> Option<RowGroup> {
        let (types, listings) = of;
        let mut any: Vec<RowTest> = Vec::new();
        for Way { sight, about, only } in ways {
            let only = only.and_then(|place| self.granular.get(place));
            let only =
                only.map(|one| Only { query: one.query.clone(), reach: self.reach().clone() });
            let tests = self.tests(*sight, (types, listings.as_ref()));
            any.extend(tests.into_iter().map(|is| {
                // These are about the patient in context as they are.
                let is_narrow =
                    matches!(is, Test::Subjects(_) | Test::Referred(..) | Test::Attached(_));
                RowTest { about: about.filter(|_| !is_narrow), is, only: only.clone() }
            }));
        }
        let every = |test: &RowTest| {
            matches!(test.is, Test::Every(_)) && test.about.is_none() && test.only.is_none()
        };
        if let Some(at) = any.iter().position(every) {
            any = vec![any.swap_remove(at)];
        }
        (!types.is_empty() && !any.is_empty()).then_some(RowGroup { types, any })
    }

    /// A list without ids is no test: it could hold for nothing.
    fn tests(&self, sight: Sight, of: (TypeSet, Option<&Listings>)) -> Vec<Test> {
        let (types, listings) = of;
        let links = &self.principal.links;
        let me = links.fhir_user.as_ref().map(|link| link.rid);
        let organizations = || -> Vec<i64> { links.organizations.iter().map(|l| l.rid).collect() };
        let has_organizations = !links.organizations.is_empty();
        match sight {
            Sight::Own => me
                .map(|me| vec![Test::Itself(vec![me]), Test::Authors(vec![me])])
                .unwrap_or_default(),
            Sight::Patient => {
                let mine: Vec<i64> = match self.context {
                    Some(patient) => vec![patient],
                    None => links.patients.iter().map(|link| link.rid).collect(),
                };
                (!mine.is_empty()).then_some(Test::Subjects(mine)).into_iter().collect()
            }
            Sight::Care => me.map(Test::Care).into_iter().collect(),
            Sight::Facility if has_organizations => {
                vec![Test::Owners(organizations()), Test::Facilities(organizations())]
            }
            Sight::Owner if has_organizations => vec![Test::Owners(organizations())],
            Sight::Released if !links.jurisdictions.is_empty() => {
                vec![Test::Released(links.jurisdictions.clone())]
            }
            Sight::Directory => listings.cloned().map(Test::Listed).into_iter().collect(),
            Sight::Knowledge | Sight::All => {
                AllProof::of_rule(sight).map(Test::Every).into_iter().collect()
            }
            Sight::Referred(code) => self.referred(code, types).into_iter().collect(),
            Sight::Attached => vec![self.attached()],
            Sight::Facility | Sight::Owner | Sight::Released => Vec::new(),
        }
    }

    /// What it refers to is seen by the role's own rules, and never by this one again.
    fn referred(&self, code: &str, types: TypeSet) -> Option<Test> {
        let kinds: Vec<ResourceType> = types.iter().collect();
        let [kind] = kinds[..] else { return None };
        let parameter = r4_parameter(kind, code)?;
        Some(Test::Referred(parameter, self.direct()))
    }

    /// Content, by what it is attached to. In the context of a patient nobody but the patient has
    /// any of his own.
    fn attached(&self) -> Test {
        let links = &self.principal.links;
        let me = links.fhir_user.as_ref().map(|link| link.rid);
        let is_own = self.context.is_none() || !self.is_narrow(Sight::Own);
        // Systems write as their organizations.
        let owners = match self.principal.role {
            Role::EhrSystem => links.organizations.iter().map(|link| link.rid).collect(),
            _ => Vec::new(),
        };
        let authors = me.filter(|_| is_own).into_iter().collect();
        Test::Attached(Attached { groups: self.direct(), authors, owners })
    }

    /// What the role reads by rules that are about rows themselves, and not about others.
    fn direct(&self) -> Arc<Vec<RowGroup>> {
        let all = TypeSet::all();
        let cover = match self.context.is_some() || self.principal.role == Role::Patient {
            true => Cover { narrow: all, ..Cover::default() },
            false => Cover { whole: all, ..Cover::default() },
        };
        let is_direct = |rule: &Rule| {
            let is_of_others =
                |sight: &Sight| matches!(sight, Sight::Referred(_) | Sight::Attached);
            rule.acts.meets(Acts::READ) && !rule.sights.iter().any(is_of_others)
        };
        Arc::new(self.groups(cover, &is_direct))
    }
}

impl RowFilter {
    /// Both, which are about different types.
    pub(super) fn and_of(self, other: RowFilter) -> RowFilter {
        match (self, other) {
            (RowFilter::Groups(own), RowFilter::Groups(other)) => {
                RowFilter::Groups(Arc::new(own.iter().chain(other.iter()).cloned().collect()))
            }
            (own, _) => own,
        }
    }
}
