//! Waiting for many at once.
//!
//! What drives the futures is compiled once for all of them: they are boxed, and a [`Round`] keeps what comes of them.

use std::{
    cell::RefCell,
    ops::ControlFlow,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};

/// A limit for what is bounded elsewhere.
pub const ALL: usize = usize::MAX;

/// Asks about each of the items, at most `limit` of them at a time; the answers, in the items' order.
pub fn each<'a, I, F>(limit: usize, items: I, ask: impl FnMut(I::Item) -> F + 'a) -> Each<'a, F::Output>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future + 'a,
{
    Each::new(limit, asking(items, ask), |_| false)
}

/// The same, where the first failure that comes is the answer: who has not answered by then is no longer waited for.
pub fn try_each<'a, I, F, T, E>(
    limit: usize,
    items: I,
    ask: impl FnMut(I::Item) -> F + 'a,
) -> TryEach<'a, T, E>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future<Output = Result<T, E>> + 'a,
    T: 'a,
    E: 'a,
{
    TryEach(Each::new(limit, asking(items, ask), Result::is_err))
}

/// The same, where each answer is taken as it comes, until one is the last that is wanted.
pub fn each_until<'a, I, F>(
    limit: usize,
    items: I,
    ask: impl FnMut(I::Item) -> F + 'a,
    take: impl FnMut(F::Output) -> ControlFlow<()> + 'a,
) -> LocalBoxFuture<'a, ()>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future + 'a,
{
    drive(limit, Rc::new(RefCell::new(Taking { next: asking(items, ask), asked: Vec::new(), take })))
}

/// The answers to [`each`] question, on their way.
pub struct Each<'a, T> {
    answers: Rc<RefCell<Answers<'a, T>>>,
    driven: LocalBoxFuture<'a, ()>,
}

impl<'a, T: 'a> Each<'a, T> {
    fn new(limit: usize, next: Box<dyn Ask<'a, T> + 'a>, is_last: fn(&T) -> bool) -> Self {
        let answers = Rc::new(RefCell::new(Answers { next, slots: Vec::new(), is_last }));
        Self { driven: drive(limit, Rc::clone(&answers) as _), answers }
    }
}

impl<T> Future for Each<'_, T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<T>> {
        ready!(self.driven.poll_unpin(context));
        let mut answers = Vec::new();
        for slot in std::mem::take(&mut self.answers.borrow_mut().slots) {
            if let Slot::Answered(answer) = slot {
                answers.push(answer);
            }
        }
        Poll::Ready(answers)
    }
}

/// The answers of those of whom none may fail.
pub struct TryEach<'a, T, E>(Each<'a, Result<T, E>>);

impl<T, E> Future for TryEach<'_, T, E> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answers = Vec::new();
        for answer in ready!(self.0.poll_unpin(context)) {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(answers))
    }
}

/// Asks one after the other.
trait Ask<'a, T> {
    /// The next one's answer, on its way; `None` after the last.
    fn next(&mut self) -> Option<LocalBoxFuture<'a, T>>;
}

struct Asking<I, A> {
    items: I,
    ask: A,
}

impl<'a, I, A, F> Ask<'a, F::Output> for Asking<I, A>
where
    I: Iterator,
    A: FnMut(I::Item) -> F,
    F: Future + 'a,
{
    fn next(&mut self) -> Option<LocalBoxFuture<'a, F::Output>> {
        let item = self.items.next()?;
        Some((self.ask)(item).boxed_local())
    }
}

fn asking<'a, I, F>(items: I, ask: impl FnMut(I::Item) -> F + 'a) -> Box<dyn Ask<'a, F::Output> + 'a>
where
    I: IntoIterator<IntoIter: 'a>,
    F: Future + 'a,
{
    Box::new(Asking { items: items.into_iter(), ask })
}

/// Those who are asked, by their places among the items.
trait Round {
    /// Asks the next one; its place, unless there is none.
    fn begin(&mut self) -> Option<usize>;

    /// Looks for an answer; breaks when it is the last that is wanted.
    fn poll(&mut self, place: usize, context: &mut Context<'_>) -> Poll<ControlFlow<()>>;
}

struct Answers<'a, T> {
    next: Box<dyn Ask<'a, T> + 'a>,
    slots: Vec<Slot<'a, T>>,
    is_last: fn(&T) -> bool,
}

enum Slot<'a, T> {
    Asked(LocalBoxFuture<'a, T>),
    Answered(T),
}

impl<T> Round for Answers<'_, T> {
    fn begin(&mut self) -> Option<usize> {
        let place = self.slots.len();
        self.slots.push(Slot::Asked(self.next.next()?));
        Some(place)
    }

    fn poll(&mut self, place: usize, context: &mut Context<'_>) -> Poll<ControlFlow<()>> {
        let Some(slot) = self.slots.get_mut(place) else { return Poll::Pending };
        let Slot::Asked(asked) = slot else { return Poll::Pending };
        let answer = ready!(asked.poll_unpin(context));
        let is_last = (self.is_last)(&answer);
        *slot = Slot::Answered(answer);
        Poll::Ready(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

struct Taking<'a, T, K> {
    next: Box<dyn Ask<'a, T> + 'a>,
    asked: Vec<Option<LocalBoxFuture<'a, T>>>,
    take: K,
}

impl<T, K: FnMut(T) -> ControlFlow<()>> Round for Taking<'_, T, K> {
    fn begin(&mut self) -> Option<usize> {
        let place = self.asked.len();
        self.asked.push(Some(self.next.next()?));
        Some(place)
    }

    fn poll(&mut self, place: usize, context: &mut Context<'_>) -> Poll<ControlFlow<()>> {
        let Some(slot) = self.asked.get_mut(place) else { return Poll::Pending };
        let Some(asked) = slot else { return Poll::Pending };
        let answer = ready!(asked.poll_unpin(context));
        *slot = None;
        Poll::Ready((self.take)(answer))
    }
}

/// One of those who are asked.
struct Place<'a> {
    round: Rc<RefCell<dyn Round + 'a>>,
    place: usize,
}

impl Future for Place<'_> {
    type Output = ControlFlow<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ControlFlow<()>> {
        self.round.borrow_mut().poll(self.place, context)
    }
}

/// Asks until all have answered, or one is the last.
fn drive<'a>(limit: usize, round: Rc<RefCell<dyn Round + 'a>>) -> LocalBoxFuture<'a, ()> {
    let driven = async move {
        let mut waiting = FuturesUnordered::new();
        let mut has_more = true;
        loop {
            while has_more && waiting.len() < limit {
                let begun = round.borrow_mut().begin();
                match begun {
                    Some(place) => waiting.push(Place { round: Rc::clone(&round), place }),
                    None => has_more = false,
                }
            }
            if !matches!(waiting.next().await, Some(ControlFlow::Continue(()))) {
                return;
            }
        }
    };
    driven.boxed_local()
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
