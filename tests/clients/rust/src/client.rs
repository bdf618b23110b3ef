//! A connection to a node with a token, and the services that the scenario calls.

use std::time::Duration;

use serde_json::Value;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::admin::chain_service_client::ChainServiceClient;
use crate::admin::event_service_client::EventServiceClient;
use crate::admin::miner_service_client::MinerServiceClient;
use crate::admin::node_service_client::NodeServiceClient;
use crate::admin::peer_service_client::PeerServiceClient;
use crate::admin::wallet_service_client::WalletServiceClient;

const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const STREAM_TIMEOUT: Duration = Duration::from_secs(60);

pub type Failure = Box<dyn std::error::Error>;
type Wire = InterceptedService<Channel, Bearer>;

pub struct Client {
    pub node: NodeServiceClient<Wire>,
    pub peers: PeerServiceClient<Wire>,
    pub miner: MinerServiceClient<Wire>,
    pub wallet: WalletServiceClient<Wire>,
    pub chain: ChainServiceClient<Wire>,
    pub events: EventServiceClient<Wire>,
}

impl Client {
    /// Connects with a token, or with none.
    pub async fn connect(address: &str, token: Option<&str>) -> Result<Self, Failure> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
        let header = token.map(|token| format!("Bearer {token}").parse());
        let wire = InterceptedService::new(channel, Bearer(header.transpose()?));
        Ok(Self {
            node: NodeServiceClient::new(wire.clone()),
            peers: PeerServiceClient::new(wire.clone()),
            miner: MinerServiceClient::new(wire.clone()),
            wallet: WalletServiceClient::new(wire.clone()),
            chain: ChainServiceClient::new(wire.clone()),
            events: EventServiceClient::new(wire),
        })
    }
}

/// Sends a token with every call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = &self.0 {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}

/// The request of a unary call, with its deadline.
pub fn unary<T>(message: T) -> Request<T> {
    within(CALL_TIMEOUT, message)
}

/// The request of a stream, with its deadline.
pub fn streaming<T>(message: T) -> Request<T> {
    within(STREAM_TIMEOUT, message)
}

fn within<T>(timeout: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// Prints a line of the scenario: `figures` is an object.
pub fn print_line(step: &str, mut figures: Value) {
    figures["step"] = step.into();
    println!("{figures}");
}
