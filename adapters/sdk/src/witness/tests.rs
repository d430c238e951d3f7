use super::*;
use severn_link::{InMemory, ServerLimits, server};
use severn_proto::v1::{
    CosignResponse,
    audit_witness_server::{AuditWitness, AuditWitnessServer},
};
use severn_trust::{MemoryDisk, SystemClock, SystemEntropy, sign_trail_key};
use std::sync::{Mutex, MutexGuard};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response};

fn signing_key() -> SigningKey {
    SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap()
}

/// A broker whose operator may change the trail that it shows at any moment.
#[derive(Clone)]
struct Operator(Arc<Mutex<Shows>>);

struct Shows {
    trail: Trail,
    trail_key: String,
    /// Answers instead of the trail's own.
    instead: Option<CheckpointResponse>,
    disowns: bool,
    cosigned: Vec<String>,
}

impl Operator {
    fn shows(&self) -> MutexGuard<'_, Shows> {
        self.0.lock().unwrap()
    }
}

#[tonic::async_trait]
impl AuditWitness for Operator {
    async fn checkpoint(&self, request: Request<CheckpointRequest>) -> Result<Response<CheckpointResponse>, Status> {
        let shows = self.shows();
        if shows.disowns {
            return Err(Status::failed_precondition("not from there"));
        }
        if let Some(instead) = &shows.instead {
            return Ok(Response::new(instead.clone()));
        }
        let shown = shows.trail.checkpoint(request.get_ref().since).map_err(|e| Status::unavailable(e.to_string()))?;
        let consistency = shown.consistency.iter().map(|node| node.to_vec()).collect();
        let trail_key = shows.trail_key.clone();
        Ok(Response::new(CheckpointResponse { checkpoint: shown.checkpoint, consistency, trail_key }))
    }

    async fn cosign(&self, request: Request<CosignRequest>) -> Result<Response<CosignResponse>, Status> {
        self.shows().cosigned.push(request.into_inner().cosignature);
        Ok(Response::new(CosignResponse {}))
    }
}

/// A witness's folder, and the broker that it asks.
struct Stage {
    operator: Operator,
    network: InMemory,
    disk: MemoryDisk,
    own_trail: MemoryDisk,
    statement_key: SigningKey,
    trail_key: SigningKey,
    stop: CancellationToken,
}

fn trail(disk: &MemoryDisk, key: &SigningKey) -> Trail {
    Trail::open(Arc::new(disk.clone()), Arc::new(SystemClock), key.clone()).unwrap()
}

async fn written(trail: &Trail, persons: std::ops::Range<u32>) {
    for n in persons {
        let event = TrailEvent { action: "intent".into(), person: format!("p{n}"), ..TrailEvent::default() };
        trail.record(event).await.unwrap();
    }
}

impl Stage {
    async fn set() -> Stage {
        let (statement_key, trail_key) = (signing_key(), signing_key());
        let trail = trail(&MemoryDisk::default(), &trail_key);
        written(&trail, 0..5).await;
        let trail_key_said = sign_trail_key(&statement_key, trail_key.public()).unwrap();
        let shows = Shows { trail, trail_key: trail_key_said, instead: None, disowns: false, cosigned: Vec::new() };
        let operator = Operator(Arc::new(Mutex::new(shows)));
        let network = InMemory::new(Identity::Broker("broker-1".into()));
        let (incoming, door) = (UnboundedReceiverStream::new(network.accept()), operator.clone());
        let serving = server(ServerLimits::default()).add_service(AuditWitnessServer::new(door));
        tokio::spawn(serving.serve_with_incoming(incoming));
        let (disk, own_trail) = (MemoryDisk::default(), MemoryDisk::default());
        let stop = CancellationToken::new();
        Stage { operator, network, disk, own_trail, statement_key, trail_key, stop }
    }

    fn start(&self) {
        let key = signing_key();
        let witness = Witness::open(WitnessParts {
            source_id: "A".into(),
            disk: Arc::new(self.disk.clone()),
            dialler: Arc::new(self.network.party(Identity::Source("A".into()))),
            address: String::new(),
            broker: Identity::Broker("broker-1".into()),
            broker_key: self.statement_key.public().clone(),
            trail: trail(&self.own_trail, &key),
            key,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
            every: Duration::from_millis(20),
        });
        tokio::spawn(witness.unwrap().run(self.stop.clone()));
    }

    async fn until(&self, what: &str, holds: impl Fn(&Stage) -> bool) {
        for _ in 0..500 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: {:?}", self.disk.files().keys());
    }

    fn kept_seq(&self) -> u64 {
        Kept::read(&self.disk).unwrap().map_or(0, |kept| kept.checkpoint.seq)
    }

    fn alarms(&self) -> Vec<String> {
        let log = String::from_utf8(self.own_trail.files().remove("audit.log").unwrap_or_default()).unwrap();
        log.lines().filter(|line| line.contains(ALARM)).map(str::to_owned).collect()
    }

    fn evidence(&self) -> String {
        String::from_utf8(self.disk.files().remove(EVIDENCE).unwrap_or_default()).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_trail_that_grows_is_kept_and_signed_and_gone_on_from_after_a_restart() {
    let stage = Stage::set().await;
    stage.start();
    stage.until("the first checkpoint", |stage| stage.kept_seq() == 5).await;
    let trail = stage.operator.shows().trail.clone();
    written(&trail, 5..400).await;
    stage.until("the next", |stage| stage.kept_seq() == 400).await;
    let kept = Kept::read(&stage.disk).unwrap().unwrap();
    assert_eq!(kept.cosigned.read(stage.trail_key.public()).unwrap().checkpoint, kept.checkpoint);
    stage
        .until("its signature", |stage| stage.operator.shows().cosigned.last() == Some(&kept.cosigned.cosignature))
        .await;
    stage.stop.cancel();
    written(&trail, 400..410).await;
    let again = copied(&stage);
    again.start();
    again.until("what came meanwhile", |stage| stage.kept_seq() == 410).await;
    assert_eq!(again.alarms(), Vec::<String>::new());
    // The first of the hour, whatever a crash left, and the last.
    let mut list = stage.disk.files()[SEEN].clone();
    list.extend_from_slice(b"\n{\"witness\":");
    stage.disk.replace(SEEN, &list).unwrap();
    let seen = Kept::seen(&stage.disk).unwrap();
    let seq = |seen: &Cosigned| seen.read(stage.trail_key.public()).unwrap().checkpoint.seq;
    assert_eq!((seen.len(), seq(&seen[0]) <= 5, seq(&seen[1])), (2, true, 410));
}

fn copied(stage: &Stage) -> Stage {
    Stage {
        operator: stage.operator.clone(),
        network: stage.network.clone(),
        disk: stage.disk.clone(),
        own_trail: MemoryDisk::default(),
        statement_key: stage.statement_key.clone(),
        trail_key: stage.trail_key.clone(),
        stop: CancellationToken::new(),
    }
}

#[tokio::test]
async fn a_trail_that_was_rewritten_cut_or_not_signed_is_told_once_and_never_signed() {
    let other = |key: &SigningKey, count: u32| {
        let (disk, key) = (MemoryDisk::default(), key.clone());
        async move {
            let trail = trail(&disk, &key);
            written(&trail, 90..90 + count).await;
            trail
        }
    };
    for (how, count, said) in [
        ("forked", 9, "rewritten or forked"),
        ("shrunk", 3, "does not go on"),
        ("disowned", 9, "does not go on"),
        ("unsigned", 9, "not signed"),
    ] {
        let stage = Stage::set().await;
        stage.start();
        stage.until("the first checkpoint", |stage| stage.kept_seq() == 5).await;
        let honest = stage.operator.shows().trail.clone();
        let key = if how == "unsigned" { signing_key() } else { stage.trail_key.clone() };
        let false_trail = other(&key, count).await;
        while false_trail.checkpoint(0).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        {
            let mut shows = stage.operator.shows();
            shows.cosigned.clear();
            shows.disowns = how != "forked" && how != "unsigned";
            shows.trail = false_trail;
        }
        stage.until("the alarm", |stage| !stage.alarms().is_empty() && !stage.evidence().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(stage.alarms().len(), 1, "{how}: told once");
        assert!(stage.alarms()[0].contains(said) && stage.evidence().contains(said), "{how}: {:?}", stage.alarms());
        assert_eq!(stage.kept_seq(), 5, "{how}");
        assert_eq!(stage.operator.shows().cosigned, Vec::<String>::new(), "{how}");
        // Back to the trail that was seen, it goes on.
        written(&honest, 5..7).await;
        {
            let mut shows = stage.operator.shows();
            (shows.trail, shows.disowns) = (honest, false);
        }
        stage.until("the trail again", |stage| stage.kept_seq() == 7).await;
    }
}

#[tokio::test]
async fn an_older_checkpoint_shown_as_the_newest_has_shrunk() {
    let (statement_key, trail_key) = (signing_key(), signing_key());
    let trail = trail(&MemoryDisk::default(), &trail_key);
    written(&trail, 0..3).await;
    let mut seen = Vec::new();
    for upto in [3, 8] {
        written(&trail, 3..upto).await;
        let shown = loop {
            let shown = trail.checkpoint(0).ok();
            let said = shown.map(|shown| (Checkpoint::read(&shown.checkpoint, trail_key.public()).unwrap(), shown));
            match said {
                Some((checkpoint, shown)) if checkpoint.seq == u64::from(upto) => break shown,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        let said = sign_trail_key(&statement_key, trail_key.public()).unwrap();
        seen.push(CheckpointResponse { checkpoint: shown.checkpoint, consistency: vec![], trail_key: said });
    }
    let key = statement_key.public();
    let (older, newer) = (judge(None, &seen[0], key).unwrap(), judge(None, &seen[1], key).unwrap());
    assert_eq!(judge(Some(&newer), &seen[0], key), Err(Suspicion::Shrunk));
    assert_eq!(judge(Some(&older), &seen[1], key), Err(Suspicion::Forked), "without its proof");
    assert_eq!(judge(Some(&older), &seen[0], key), Ok(older.clone()));
    let proof = trail.checkpoint(3).unwrap().consistency.iter().map(|node| node.to_vec()).collect();
    let proved = CheckpointResponse { consistency: proof, ..seen[1].clone() };
    assert_eq!(judge(Some(&older), &proved, key), Ok(newer));
    assert_eq!(judge(None, &seen[0], trail_key.public()), Err(Suspicion::Unsigned));
    let cut = CheckpointResponse { consistency: vec![vec![1; 31]], ..proved };
    assert_eq!(judge(Some(&older), &cut, key), Err(Suspicion::Forked));
}
