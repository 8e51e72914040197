//! Waiting for many at once.
//!
//! What drives the futures is compiled once for all of them: they are boxed, and leave what comes of them where it is
//! wanted.

use std::{cell::RefCell, ops::ControlFlow};

use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};

/// A limit for what is bounded elsewhere.
pub const ALL: usize = usize::MAX;

/// Asks about each of the items, at most `limit` of them at a time; the answers, in the items' order.
pub fn each<'a, I, F>(
    limit: usize,
    items: I,
    ask: impl FnMut(I::Item) -> F + 'a,
) -> LocalBoxFuture<'a, Vec<F::Output>>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future + 'a,
{
    in_order(limit, begin(items, ask), |_| false).boxed_local()
}

/// The same, where the first failure that comes is the answer: who has not answered by then is no longer waited for.
pub fn try_each<'a, I, F, T, E>(
    limit: usize,
    items: I,
    ask: impl FnMut(I::Item) -> F + 'a,
) -> LocalBoxFuture<'a, Result<Vec<T>, E>>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future<Output = Result<T, E>> + 'a,
    T: 'a,
    E: 'a,
{
    let answers = in_order(limit, begin(items, ask), Result::is_err);
    async move { answers.await.into_iter().collect() }.boxed_local()
}

/// The same, where each answer is taken as it comes, until one is the last that is wanted.
pub fn each_until<'a, I, F>(
    limit: usize,
    items: I,
    ask: impl FnMut(I::Item) -> F + 'a,
    mut take: impl FnMut(F::Output) -> ControlFlow<()> + 'a,
) -> LocalBoxFuture<'a, ()>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future + 'a,
{
    let next = begin(items, ask);
    async move { take_each(limit, next, &mut |_, answer| take(answer)).await }.boxed_local()
}

/// Begins with the next item, until there is none.
type Begin<'a, T> = Box<dyn FnMut() -> Option<LocalBoxFuture<'a, T>> + 'a>;

fn begin<'a, I, F>(items: I, mut ask: impl FnMut(I::Item) -> F + 'a) -> Begin<'a, F::Output>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future + 'a,
{
    let mut items = items.into_iter();
    Box::new(move || items.next().map(|item| ask(item).boxed_local()))
}

/// The answers that have come when all have, or one that `is_last`.
async fn in_order<'a, T: 'a>(limit: usize, begin: Begin<'a, T>, is_last: fn(&T) -> bool) -> Vec<T> {
    let mut answers: Vec<Option<T>> = Vec::new();
    let mut take = |place, answer| {
        let flow = if is_last(&answer) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        while answers.len() <= place {
            answers.push(None);
        }
        if let Some(slot) = answers.get_mut(place) {
            *slot = Some(answer);
        }
        flow
    };
    take_each(limit, begin, &mut take).await;
    answers.into_iter().flatten().collect()
}

/// Takes the answers with their places among the items.
async fn take_each<'a, T: 'a>(
    limit: usize,
    mut begin: Begin<'a, T>,
    take: &mut dyn FnMut(usize, T) -> ControlFlow<()>,
) {
    let take = &RefCell::new(take);
    let mut begun = 0_usize;
    let mut next = || {
        let asked = begin()?;
        let place = begun;
        begun = begun.saturating_add(1);
        Some(asked.map(move |answer| take.borrow_mut()(place, answer)).boxed_local())
    };
    drive(limit, &mut next).await;
}

/// Lets those run that `next` makes, until there are no more, or one says that it was the last.
async fn drive<'a>(limit: usize, next: &mut dyn FnMut() -> Option<LocalBoxFuture<'a, ControlFlow<()>>>) {
    let mut running = FuturesUnordered::new();
    let mut has_more = true;
    loop {
        while has_more && running.len() < limit {
            match next() {
                Some(task) => running.push(task),
                None => has_more = false,
            }
        }
        if !matches!(running.next().await, Some(ControlFlow::Continue(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn, task::Poll};

    use futures_util::future::{pending, ready};

    use super::*;

    #[test]
    fn answers_are_in_the_items_order() {
        let is_told = Cell::new(false);
        let first = poll_fn(|context| {
            context.waker().wake_by_ref();
            if is_told.get() { Poll::Ready(1) } else { Poll::Pending }
        });
        let second = async {
            is_told.set(true);
            2
        };
        let asked = [first.boxed_local(), second.boxed_local()];
        assert_eq!(each(ALL, asked, |asked| asked).now_or_never(), Some(vec![1, 2]));
    }

    #[test]
    fn no_more_than_the_limit_are_begun() {
        let mut begun = 0;
        let waiting = each(2, 0..5, |_| {
            begun += 1;
            pending::<()>()
        });
        assert!(waiting.now_or_never().is_none());
        assert_eq!(begun, 2);
    }

    #[test]
    fn the_first_failure_ends_the_waiting() {
        let ask = |item: u8| if item == 1 { ready(Err(item)).boxed_local() } else { pending().boxed_local() };
        assert_eq!(try_each(ALL, 0..3, ask).now_or_never(), Some(Err::<Vec<()>, _>(1)));
    }

    #[test]
    fn what_comes_after_the_last_that_is_wanted_is_not_asked_for() {
        let mut taken = Vec::new();
        let take = |item| {
            taken.push(item);
            if item == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(each_until(1, 0..5, ready, take).now_or_never(), Some(()));
        assert_eq!(taken, [0, 1]);
    }
}
