//! Existence, filtering, subsetting, combining, tree navigation (FHIRPath 5.1 to 5.4, 5.8).

use super::super::error::{FhirPathError, Result};
use super::super::expression::Expr;
use super::super::function::Function;
use super::super::item::{Item, System};
use super::equality::DistinctItems;
use super::{Call, Evaluator, Items, Outcome, Scope, boolean, integer, operators, single, truth};
use std::cmp::Ordering;

impl<'e, 's, 'a> Call<'e, 's, 'a> {
    pub(super) fn collection(mut self) -> Result<Outcome<'e, 's, 'a>> {
        use Function::*;
        let items = std::mem::take(&mut self.items);
        Ok(Outcome::Done(match self.function {
            Exists if self.arguments.is_empty() => boolean(!items.is_empty()),
            Exists => boolean(!self.filter(items)?.is_empty()),
            All => boolean(self.all(&items)?),
            Where => self.filter(items)?,
            Select => self.select(&items)?,
            Repeat => self.repeat(items)?,
            Aggregate => self.aggregate(&items)?,
            Sort => self.sort(items)?,
            Iif => self.iif(&items)?,
            Trace => self.trace(items)?,
            _ => {
                self.items = items;
                return self.whole();
            }
        }))
    }

    /// Functions that do not go through the items one by one. Apart from the others, whose
    /// frames pile up where calls are nested.
    fn whole(mut self) -> Result<Outcome<'e, 's, 'a>> {
        use Function::*;
        let items = std::mem::take(&mut self.items);
        let evaluator = self.evaluator;
        Ok(Outcome::Done(match self.function {
            Empty => boolean(items.is_empty()),
            AllTrue => boolean(!truths(&items)?.contains(&false)),
            AnyTrue => boolean(truths(&items)?.contains(&true)),
            AllFalse => boolean(!truths(&items)?.contains(&true)),
            AnyFalse => boolean(truths(&items)?.contains(&false)),
            SubsetOf => boolean(evaluator.is_subset(&items, &self.argument(0)?)?),
            SupersetOf => boolean(evaluator.is_subset(&self.argument(0)?, &items)?),
            Count => vec![Item::System(System::Integer(items.len() as i64))],
            Distinct => evaluator.distinct(items)?,
            IsDistinct => {
                let count = items.len();
                boolean(evaluator.distinct(items)?.len() == count)
            }
            Single => single(&items, "single()")?.cloned().into_iter().collect(),
            First => items.into_iter().take(1).collect(),
            Last => items.into_iter().next_back().into_iter().collect(),
            Tail => items.into_iter().skip(1).collect(),
            Skip => items.into_iter().skip(self.amount()?).collect(),
            Take => items.into_iter().take(self.amount()?).collect(),
            Intersect => evaluator.intersect(items, &self.argument(0)?)?,
            Exclude => evaluator.exclude(items, &self.argument(0)?)?,
            Union => {
                let other = self.argument(0)?;
                evaluator.distinct(items.into_iter().chain(other).collect())?
            }
            Combine => {
                let other = self.argument(0)?;
                items.into_iter().chain(other).collect()
            }
            Children => evaluator.children(&items)?,
            Descendants => evaluator.descendants(&items)?,
            Not => super::maybe_boolean(truth(&items)?.map(|truth| !truth)),
            _ => {
                self.items = items;
                return Ok(Outcome::Other(self));
            }
        }))
    }

    fn first_argument(&self) -> Result<&'a Expr> {
        let missing = || FhirPathError::execution(format!("{} needs an argument", self.name()));
        self.arguments.first().ok_or_else(missing)
    }

    fn filter(&self, items: Items<'a>) -> Result<Items<'a>> {
        let criterion = self.first_argument()?;
        let mut kept = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let scope = self.scope.of_item(&item, index);
            if truth(&self.evaluator.evaluate(criterion, scope)?)? == Some(true) {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    fn all(&self, items: &[Item<'a>]) -> Result<bool> {
        let criterion = self.first_argument()?;
        for (index, item) in items.iter().enumerate() {
            let scope = self.scope.of_item(item, index);
            if truth(&self.evaluator.evaluate(criterion, scope)?)? != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn select(&self, items: &[Item<'a>]) -> Result<Items<'a>> {
        let projection = self.first_argument()?;
        let mut selected = Vec::new();
        for (index, item) in items.iter().enumerate() {
            selected.extend(self.evaluator.evaluate(projection, self.scope.of_item(item, index))?);
        }
        Ok(selected)
    }

    /// The projection of the projection and so on, as long as new items come.
    fn repeat(&self, items: Items<'a>) -> Result<Items<'a>> {
        let mut found = DistinctItems::default();
        let mut level = items;
        while !level.is_empty() {
            let mut next = Vec::new();
            for item in self.select(&level)? {
                if found.insert(item.clone(), self.evaluator)? {
                    next.push(item);
                }
            }
            level = next;
        }
        Ok(found.items)
    }

    fn amount(&self) -> Result<usize> {
        let amount = integer(&self.argument(0)?, self.name())?.unwrap_or(0);
        Ok(usize::try_from(amount.max(0)).unwrap_or(usize::MAX))
    }

    fn aggregate(&self, items: &[Item<'a>]) -> Result<Items<'a>> {
        let aggregator = self.first_argument()?;
        let mut total = self.argument(1)?;
        for (index, item) in items.iter().enumerate() {
            let scope = Scope { total: &total, ..self.scope.of_item(item, index) };
            total = self.evaluator.evaluate(aggregator, scope)?;
        }
        Ok(total)
    }

    /// By each key in turn, `-key` downwards; items without a key come first.
    fn sort(&self, items: Items<'a>) -> Result<Items<'a>> {
        let keys: Vec<(&'a Expr, bool)> = match self.arguments {
            [] => vec![(&Expr::This, false)],
            keys => keys
                .iter()
                .map(|key| match key {
                    Expr::Negation(key) => (&**key, true),
                    key => (key, false),
                })
                .collect(),
        };
        let mut rows = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let mut row = Vec::with_capacity(keys.len());
            for (key, _) in &keys {
                let found = self.evaluator.evaluate(key, self.scope.of_item(&item, index))?;
                row.push(single(&found, "A key of sort()")?.and_then(Item::system));
            }
            rows.push((row, item));
        }
        let mut failure = None;
        rows.sort_by(|(left, _), (right, _)| {
            let pairs = left.iter().zip(right).zip(&keys);
            pairs
                .map(|((left, right), (_, is_descending))| match (left, right) {
                    (Some(left), Some(right)) => {
                        let order = operators::order(left, right).unwrap_or_else(|error| {
                            failure = Some(error);
                            None
                        });
                        let order = order.unwrap_or(Ordering::Equal);
                        if *is_descending { order.reverse() } else { order }
                    }
                    (left, right) => left.is_some().cmp(&right.is_some()),
                })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(rows.into_iter().map(|(_, item)| item).collect()),
        }
    }

    /// Only the branch that is taken is evaluated.
    fn iif(&self, items: &[Item<'a>]) -> Result<Items<'a>> {
        let this = single(items, "iif()")?;
        let scope = Scope { focus: items, this: this.or(self.scope.this), ..self.scope };
        let criterion = self.evaluator.evaluate(self.first_argument()?, scope)?;
        let branch = match truth(&criterion)? {
            Some(true) => self.arguments.get(1),
            _ => self.arguments.get(2),
        };
        branch.map_or_else(|| Ok(Vec::new()), |tree| self.evaluator.evaluate(tree, scope))
    }

    /// Logs must not hold content of resources, so the name and projection are evaluated for
    /// their errors only.
    fn trace(&self, items: Items<'a>) -> Result<Items<'a>> {
        super::text(&self.argument(0)?, "trace()")?;
        if let Some(projection) = self.arguments.get(1) {
            for (index, item) in items.iter().enumerate() {
                self.evaluator.evaluate(projection, self.scope.of_item(item, index))?;
            }
        }
        Ok(items)
    }
}

fn truths(items: &[Item<'_>]) -> Result<Vec<bool>> {
    let wrong = || FhirPathError::execution("Expected Booleans only");
    items
        .iter()
        .map(|item| match item.system() {
            Some(System::Boolean(truth)) => Ok(truth),
            _ => Err(wrong()),
        })
        .collect()
}

impl<'a> Evaluator<'a> {
    pub(super) fn distinct(&self, items: Items<'a>) -> Result<Items<'a>> {
        if items.len() < 2 {
            return Ok(items);
        }
        let mut distinct = DistinctItems::default();
        for item in items {
            distinct.insert(item, self)?;
        }
        Ok(distinct.items)
    }

    fn is_subset(&self, items: &[Item<'a>], of: &[Item<'a>]) -> Result<bool> {
        let of = DistinctItems::of(of, self)?;
        for item in items {
            if !of.contains(item, self)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn intersect(&self, items: Items<'a>, other: &[Item<'a>]) -> Result<Items<'a>> {
        let other = DistinctItems::of(other, self)?;
        let mut both = DistinctItems::default();
        for item in items {
            if other.contains(&item, self)? {
                both.insert(item, self)?;
            }
        }
        Ok(both.items)
    }

    fn exclude(&self, items: Items<'a>, other: &[Item<'a>]) -> Result<Items<'a>> {
        let other = DistinctItems::of(other, self)?;
        let mut kept = Vec::new();
        for item in items {
            if !other.contains(&item, self)? {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    pub(super) fn children(&self, items: &[Item<'a>]) -> Result<Items<'a>> {
        let mut found = Vec::new();
        for node in items.iter().filter_map(Item::as_node) {
            node.children(&mut |child| found.push(Item::Node(child)));
        }
        self.tick(found.len())?;
        Ok(found)
    }

    fn descendants(&self, items: &[Item<'a>]) -> Result<Items<'a>> {
        let mut all = Vec::new();
        let mut level = self.children(items)?;
        while !level.is_empty() {
            let next = self.children(&level)?;
            all.append(&mut level);
            level = next;
        }
        Ok(all)
    }
}
