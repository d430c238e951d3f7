//! The load: queries one after the other on each of some lanes, for a while.

use super::{canned, rig::Rig};
use anyhow::{Context as _, Result, bail, ensure};
use futures::future::join_all;
use severn_link::{Dialler as _, Tls, TlsDialler};
use severn_proto::v1::{
    FindPersonRequest, PurposeOfUse, RequestContext, RetrieveRecordRequest, record_broker_client::RecordBrokerClient,
    retrieve_record_response::Part,
};
use severn_trust::{ALL_DATASETS, Clock as _, Commitments, PersonKeys, Proof, SystemClock, SystemEntropy, new_uuid};
use std::time::Duration;
use tokio::time::Instant;
use tonic::transport::Channel;

/// Who is asked, about whom.
pub struct Target<'a> {
    rig: &'a Rig,
    channel: Channel,
    enterprise_id: String,
    sealed: bool,
    entropy: SystemEntropy,
    token: String,
}

/// What one cell measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cell {
    /// Queries answered.
    pub queries: u64,
    /// Median time of one query: milliseconds.
    pub p50_ms: f64,
    /// Entries in one answer.
    pub entries: u64,
}

impl<'a> Target<'a> {
    /// Reaches whoever listens at `port`. `sealed` says that answers must end in a seal and hold the one person.
    ///
    /// # Errors
    /// If certificates cannot be used.
    pub fn new(rig: &'a Rig, port: u16, sealed: bool) -> Result<Target<'a>> {
        let tls = Tls::load(&Rig::tls_files(&rig.folder, &Rig::app()))?;
        let dialler = TlsDialler::new(tls, Duration::from_secs(2));
        let channel = dialler.dial(&format!("127.0.0.1:{port}"), &Rig::broker())?;
        let token = rig.gateway.token("R8000", PurposeOfUse::DirectCare, &SystemClock, 1);
        Ok(Target { rig, channel, enterprise_id: String::new(), sealed, entropy: SystemEntropy::default(), token })
    }

    /// Finds the one person; a sealed target is asked, for the others anybody will do.
    ///
    /// # Errors
    /// If the person cannot be found.
    pub async fn find(&mut self) -> Result<()> {
        if !self.sealed {
            self.enterprise_id = uuid::Uuid::nil().to_string();
            return Ok(());
        }
        let person = canned::person();
        let search = FindPersonRequest {
            context: Some(self.context()?),
            nhs_number: person.nhs_number,
            birth_date: person.birth_date,
            ..FindPersonRequest::default()
        };
        let found = RecordBrokerClient::new(self.channel.clone()).find_person(search).await?.into_inner();
        self.enterprise_id = found.candidates.into_iter().next().context("the person is not found")?.enterprise_id;
        Ok(())
    }

    /// Whether the broker knows somebody under this local id.
    pub async fn knows(&self, source_id: String, local_id: String) -> bool {
        let Ok(context) = self.context() else { return false };
        let search = FindPersonRequest { context: Some(context), source_id, local_id, ..FindPersonRequest::default() };
        let found = RecordBrokerClient::new(self.channel.clone()).find_person(search).await;
        found.is_ok_and(|found| !found.into_inner().candidates.is_empty())
    }

    /// Makes every source known to be reachable by asking it what it is.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub async fn list_sources(&self) -> Result<usize> {
        let request = severn_proto::v1::ListSourcesRequest { context: Some(self.context()?) };
        let listed = RecordBrokerClient::new(self.channel.clone()).list_sources(request).await?.into_inner();
        Ok(listed.sources.iter().filter(|source| source.reachable).count())
    }

    fn context(&self) -> Result<RequestContext> {
        let person = Commitments::new(&PersonKeys::of(&canned::person()), &self.entropy);
        let proof = Proof {
            query_id: new_uuid(&SystemClock, &self.entropy),
            issued_s: SystemClock.now_s(),
            datasets: ALL_DATASETS.to_vec(),
            purpose: PurposeOfUse::DirectCare,
            person,
            challenge: None,
            opening: None,
        };
        let request_proof = proof.sign(&self.rig.gateway.app_key, &self.token)?;
        Ok(RequestContext { user_token: self.token.clone(), request_proof })
    }

    /// Renews the token, which lives for 300 s.
    pub fn renew(&mut self) {
        self.token = self.rig.gateway.token("R8000", PurposeOfUse::DirectCare, &SystemClock, 1);
    }

    /// Asks on `lanes` lanes for `wait`.
    ///
    /// # Errors
    /// If one query fails.
    pub async fn run(&self, lanes: usize, wait: Duration) -> Result<Cell> {
        let ends = Instant::now() + wait;
        let lane = async || {
            let mut times = Vec::new();
            let mut entries = 0;
            while Instant::now() < ends {
                let started = Instant::now();
                entries = self.ask().await?;
                times.push(started.elapsed().as_secs_f64() * 1000.0);
            }
            Ok::<_, anyhow::Error>((times, entries))
        };
        let mut times = Vec::new();
        let mut entries = 0;
        for done in join_all((0..lanes).map(|_| lane())).await {
            let (mut lane_times, lane_entries) = done?;
            times.append(&mut lane_times);
            entries = entries.max(lane_entries);
        }
        times.sort_by(f64::total_cmp);
        ensure!(!times.is_empty(), "no query was answered");
        Ok(Cell { queries: times.len() as u64, p50_ms: times[times.len() / 2], entries })
    }

    async fn ask(&self) -> Result<u64> {
        let request = RetrieveRecordRequest {
            context: Some(self.context()?),
            enterprise_id: self.enterprise_id.clone(),
            deadline_ms: 10_000,
        };
        let mut broker = RecordBrokerClient::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        let mut parts = broker.retrieve_record(request).await?.into_inner();
        let (mut entries, mut seal) = (0, None);
        while let Some(part) = parts.message().await? {
            match part.part {
                Some(Part::Section(section)) => {
                    entries += section.items.iter().map(|item| item.contributions.len() as u64).sum::<u64>();
                }
                Some(Part::Seal(last)) => seal = Some(last),
                _ => {}
            }
        }
        match seal {
            Some(seal) if seal.received == entries => Ok(entries),
            None if !self.sealed => Ok(entries),
            _ => bail!("an answer was not sealed, or its count is wrong"),
        }
    }
}
