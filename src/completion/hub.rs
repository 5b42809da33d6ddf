//! Where each outcome is sent: the send's own callback, the delivery callback, or the poll queue.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::callback::{CallbackThread, DeliveryCallback, Job, RecordCallback};
use super::details::Details;
use super::entry::{BatchEntry, Entry, Outcome, RecordFailure, RecordMeta, notice};
use super::queue::ReportQueue;
use super::report::{Report, ReportKind};
use super::waiter::Waiter;
use super::whole::{Share, Whole};
use crate::config::DeliveryReports;
use crate::error::{Class, Error, ErrorCode};

/// Who hears of the result of an operation that does not concern a record.
pub enum Completer {
    /// A parked thread.
    Thread(Arc<Waiter<Result<u32, Error>>>),
    /// The sink, with this tag.
    Tag(u64),
    /// The engine itself.
    Call(Box<dyn FnOnce() + Send>),
}

/// What hears of one record instead of the sink.
#[derive(Clone, Debug)]
pub enum SendCallback {
    User(RecordCallback),
    /// `send_wait`; when it has given up, the report goes to the sink.
    Thread(Arc<Waiter<Report>>),
}

/// A batch whose outcome is known, on its way to its reports.
#[derive(Debug)]
pub struct FinishedBatch {
    pub outcome: Outcome,
    pub metas: Vec<RecordMeta>,
    /// Sorted by index.
    pub failures: Vec<RecordFailure>,
    /// Sorted by index.
    pub callbacks: Vec<(u32, SendCallback)>,
    /// Its first records are a user's batch, or a part of one: they have one report together.
    pub share: Option<Share>,
}

/// Counters of records by their fate.
#[derive(Debug, Default)]
pub struct Fates {
    pub delivered: AtomicU64,
    pub failed: AtomicU64,
}

/// The producer's one exit for reports.
#[derive(Debug)]
pub struct Completions {
    reports: DeliveryReports,
    events: bool,
    limit: u64,
    /// Reports that nobody has been given yet.
    unread: Arc<AtomicU64>,
    queue: ReportQueue,
    callbacks: CallbackThread,
    details: Details,
    writable_wanted: AtomicBool,
    pub fates: Fates,
    /// In a transactional producer: what failed first since it was last asked for.
    transaction: Option<FirstFailure>,
}

/// A transaction with a failed record is not to be committed, wherever the record failed.
#[derive(Debug, Default)]
struct FirstFailure {
    any: AtomicBool,
    error: Mutex<Option<Error>>,
}

impl Completions {
    pub fn new(
        reports: DeliveryReports,
        events: bool,
        limit: u64,
        delivery: Option<DeliveryCallback>,
    ) -> Self {
        let unread = Arc::new(AtomicU64::new(0));
        Completions {
            reports,
            events,
            limit,
            queue: ReportQueue::new(unread.clone()),
            callbacks: CallbackThread::new(delivery, unread.clone()),
            unread,
            details: Details::default(),
            writable_wanted: AtomicBool::new(false),
            fates: Fates::default(),
            transaction: None,
        }
    }

    /// As the hub of a transactional producer.
    pub fn transactional(self, transactional: bool) -> Self {
        Completions {
            transaction: transactional.then(FirstFailure::default),
            ..self
        }
    }

    /// What a failed record's report says is to be done: in a transaction, to abort it.
    pub fn failure_flags(&self, code: ErrorCode) -> u32 {
        self.failure_class(code).report_flags()
    }

    fn failure_class(&self, code: ErrorCode) -> Class {
        let transactional = self.transaction.is_some();
        // A broker's word on one batch, which does not end the producer.
        let ends_batch_only = match code {
            ErrorCode::INVALID_TXN_STATE => true,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => !transactional,
            _ => false,
        };
        match code.class() {
            Class::Fatal if !ends_batch_only => Class::Fatal,
            _ if transactional && !is_end(code) => Class::Abortable,
            Class::Fatal => Class::Permanent,
            Class::Abortable if !transactional => Class::Permanent,
            class => class,
        }
    }

    /// The first failure of a record since the last call.
    pub fn take_first_failure(&self) -> Option<Error> {
        let first = self.transaction.as_ref()?;
        first.any.load(Ordering::Acquire).then_some(())?;
        let error = first.error.lock().take();
        first.any.store(false, Ordering::Release);
        error
    }

    fn note_failure(&self, batch: &FinishedBatch) {
        let Some(first) = &self.transaction else {
            return;
        };
        if batch.outcome.error == ErrorCode::OK || is_end(batch.outcome.error) {
            return;
        }
        // A record at fault tells more than its neighbours.
        let (code, detail) = match batch.failures.first() {
            Some(culprit) => (culprit.error, culprit.detail),
            None => (batch.outcome.error, batch.outcome.detail),
        };
        let mut error = first.error.lock();
        error.get_or_insert_with(|| {
            let known = self.details.get(detail);
            known.unwrap_or_else(|| Error::new(code, code.text()))
        });
        first.any.store(true, Ordering::Release);
    }

    /// An empty list, for at least this many records' metadata if one of about that size is kept.
    pub fn take_metas(&self, records: usize) -> Vec<RecordMeta> {
        self.queue.take_metas(records)
    }

    /// Starts `kprod-cb` where the configuration needs it from the start.
    pub fn start(&self) -> io::Result<()> {
        if self.callbacks.delivers() {
            self.callbacks.ensure_started()?;
        }
        Ok(())
    }

    /// Makes sure that a callback of a single send can be called, before that send is accepted.
    pub fn ensure_callback_thread(&self) -> io::Result<()> {
        self.callbacks.ensure_started()
    }

    /// Whether so many reports are unread that nothing more may be accepted.
    pub fn is_overloaded(&self) -> bool {
        self.unread() >= self.limit
    }

    #[inline]
    pub fn unread(&self) -> u64 {
        self.unread.load(Ordering::Relaxed)
    }

    /// Keeps the message of a failure for `error_detail`.
    pub fn detail(&self, code: ErrorCode, message: impl Into<String>) -> u64 {
        let error = Error::new(code, message);
        self.details.keep(error.of_class(self.failure_class(code)))
    }

    pub fn error_detail(&self, detail: u64) -> Option<Error> {
        self.details.get(detail)
    }

    /// Reports batches in the given order, with one wake-up.
    pub fn finish(&self, batches: impl IntoIterator<Item = FinishedBatch>) {
        let batches = batches.into_iter();
        let mut entries = Vec::with_capacity(batches.size_hint().0);
        let mut calls = Vec::new();
        for batch in batches {
            self.count(&batch);
            self.route(batch, &mut entries, &mut calls);
        }
        if !calls.is_empty() {
            self.callbacks.push([Job::Call(calls)]);
        }
        self.to_sink(entries);
    }

    fn count(&self, batch: &FinishedBatch) {
        let records = batch.metas.len() as u64;
        let fate = match batch.outcome.error {
            ErrorCode::OK => &self.fates.delivered,
            _ => &self.fates.failed,
        };
        fate.fetch_add(records, Ordering::Relaxed);
        self.note_failure(batch);
    }

    fn route(
        &self,
        mut batch: FinishedBatch,
        entries: &mut Vec<Entry>,
        calls: &mut Vec<(RecordCallback, Report)>,
    ) {
        if let Some(share) = batch.share.take()
            && let Some((report, callback)) = share.settle(&mut batch)
        {
            match callback {
                Some(callback) => calls.push((callback, report)),
                None if self.wants(report.error) => entries.push(Entry::single(report)),
                None => {}
            }
        }
        let wanted = self.wants(batch.outcome.error);
        if batch.callbacks.is_empty() {
            if wanted && !batch.metas.is_empty() {
                let entry = BatchEntry::new(batch.outcome, batch.metas, batch.failures, Vec::new());
                entries.push(Entry::Batch(entry));
            }
            return;
        }
        let mut entry = BatchEntry::new(batch.outcome, batch.metas, batch.failures, Vec::new());
        for (index, callback) in batch.callbacks {
            let report = entry.report(index as usize);
            match callback {
                SendCallback::User(callback) => calls.push((callback, report)),
                SendCallback::Thread(waiter) => match waiter.fill(report) {
                    Ok(()) => {}
                    // The caller gave up: its report joins the others in its place.
                    Err(_) => continue,
                },
            }
            entry.elsewhere.push(index);
        }
        if wanted && entry.elsewhere.len() < entry.metas.len() {
            entries.push(Entry::Batch(entry));
        }
    }

    /// Whether the sink is to have reports of this outcome.
    fn wants(&self, error: ErrorCode) -> bool {
        match self.reports {
            DeliveryReports::All => true,
            DeliveryReports::Errors => error != ErrorCode::OK,
            DeliveryReports::None => false,
        }
    }

    /// Gives the report of a user's batch that has no records, and so no request.
    pub fn finish_empty(&self, whole: &Whole, topic: u32, partition: i32) {
        let report = Report {
            topic,
            partition,
            ..notice(ReportKind::Batch, whole.tag(), ErrorCode::OK, 0, 0)
        };
        match whole.callback() {
            Some(callback) => self.callbacks.push([Job::Call(vec![(callback, report)])]),
            None if self.wants(ErrorCode::OK) => self.to_sink(vec![Entry::single(report)]),
            None => {}
        }
    }

    fn to_sink(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        if self.callbacks.delivers() {
            self.callbacks.push(entries.into_iter().map(Job::Deliver));
        } else {
            self.queue.push(entries);
        }
    }

    /// Gives the result of an operation to whoever asked for it.
    pub fn complete(&self, completer: Completer, result: Result<u32, Error>) {
        match completer {
            // A thread that gave up has told its caller so already.
            Completer::Thread(waiter) => drop(waiter.fill(result)),
            Completer::Call(call) => call(),
            Completer::Tag(tag) => {
                let report = match result {
                    Ok(count) => Report {
                        count,
                        ..notice(ReportKind::Operation, tag, ErrorCode::OK, 0, 0)
                    },
                    Err(error) => {
                        let flags = error.class.report_flags();
                        let code = error.code;
                        let detail = self.details.keep(error);
                        notice(ReportKind::Operation, tag, code, flags, detail)
                    }
                };
                self.to_sink(vec![Entry::single(report)]);
            }
        }
    }

    /// Completes an operation after all callbacks that are due now have returned.
    pub fn complete_after_callbacks(
        self: &Arc<Self>,
        completer: Completer,
        result: Result<u32, Error>,
    ) {
        if !self.callbacks.is_started() {
            return self.complete(completer, result);
        }
        let hub = self.clone();
        let run = Job::Run(Box::new(move || hub.complete(completer, result)));
        self.callbacks.push([run]);
    }

    /// Runs user code on `kprod-cb`.
    pub fn run_on_callback_thread(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        self.callbacks.ensure_started()?;
        self.callbacks.push([Job::Run(work)]);
        Ok(())
    }

    /// Notes that the caller was told QUEUE_FULL and wants a WRITABLE entry.
    pub fn want_writable(&self) {
        self.writable_wanted.store(true, Ordering::SeqCst);
    }

    /// Gives the WRITABLE entry, once for each time that it was wanted.
    pub fn writable(&self) {
        if self.writable_wanted.load(Ordering::SeqCst)
            && self.writable_wanted.swap(false, Ordering::SeqCst)
        {
            let report = notice(ReportKind::Writable, 0, ErrorCode::OK, 0, 0);
            self.to_sink(vec![Entry::single(report)]);
        }
    }

    /// Tells of something that happened to the producer, if events are asked for.
    pub fn event(&self, error: &Error) {
        if self.events {
            let detail = self.details.keep(error.clone());
            let flags = error.class.report_flags();
            let report = notice(ReportKind::Event, 0, error.code, flags, detail);
            self.to_sink(vec![Entry::single(report)]);
        }
    }

    pub fn poll(
        &self,
        max: usize,
        deadline: Option<Instant>,
        emit: impl FnMut(&Report),
    ) -> Result<usize, ErrorCode> {
        self.queue.poll(max, deadline, emit)
    }

    pub fn is_polled(&self) -> bool {
        !self.callbacks.delivers()
    }

    pub fn interrupt(&self) {
        self.queue.interrupt();
    }

    pub fn wake_fd(&self) -> io::Result<OwnedFd> {
        self.queue.wake_fd()
    }

    /// Lets `kprod-cb` finish what is due, and waits for it. False: a callback still runs.
    pub fn stop_callbacks(&self, deadline: Option<Instant>) -> bool {
        self.callbacks.stop();
        self.callbacks.join_until(deadline)
    }

    /// Nothing more comes once the callbacks that are due have returned: polls that find nothing answer CLOSED then.
    pub fn close(self: &Arc<Self>) {
        let hub = self.clone();
        if !self
            .callbacks
            .push_last(Box::new(move || hub.queue.close()))
        {
            self.queue.close();
        }
    }
}

/// Whether the code tells of the transaction's or the producer's end, and not of a failure that is news to it.
fn is_end(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ABORTED | ErrorCode::CLOSED | ErrorCode::FATAL
    )
}

impl std::fmt::Debug for Completer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Completer::Thread(_) => "Thread",
            Completer::Tag(_) => "Tag",
            Completer::Call(_) => "Call",
        })
    }
}
