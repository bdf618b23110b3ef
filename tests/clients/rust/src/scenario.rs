//! The steps of the scenario, in their order.

use std::fs;

use serde_json::json;

use crate::admin::event::Body;
use crate::admin::get_block_request::Block;
use crate::admin::{
    ConnectPeerRequest, Event, EventPosition, EventType, GenerateBlocksRequest, GetAccountRequest,
    GetBlockRequest, GetNodeRequest, GetTransactionRequest, ListPeersRequest, TransferRequest,
    WatchEventsRequest,
};
use crate::client::{Client, Failure, print_line, streaming, unary};
use crate::refusal::print_refusal;

const RECIPIENT: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// A message may lack any field; these answers never do.
const LACKING: &str = "the answer lacks a field that it always has";

/// Goes through all steps; the first that does not go as it must ends it.
pub async fn direct(address: &str, token_file: &str, peer: &str) -> Result<(), Failure> {
    for (step, token) in [("no-token", None), ("wrong-token", Some("wrong"))] {
        let mut stranger = Client::connect(address, token).await?;
        print_refusal(step, stranger.node.get_node(unary(GetNodeRequest {})).await)?;
    }
    let token = fs::read_to_string(token_file)?;
    let mut client = Client::connect(address, Some(token.trim())).await?;
    status(&mut client).await?;
    connect(&mut client, peer).await?;
    let blocks = generate(&mut client, 3).await?;
    print_line("generate", json!({ "blocks": blocks }));
    let id = transfer_twice(&mut client).await?;
    mined(&mut client, id).await?;
    watch_and_resume(&mut client).await?;
    be_refused(&mut client).await
}

async fn status(client: &mut Client) -> Result<(), Failure> {
    let answer = client.node.get_node(unary(GetNodeRequest {})).await?;
    let node = answer.into_inner().node.ok_or(LACKING)?;
    let figures = json!({
        "name": node.name,
        "state": node.state().as_str_name(),
        "network": node.network.ok_or(LACKING)?.name,
        "height": node.tip.ok_or(LACKING)?.number,
    });
    print_line("status", figures);
    Ok(())
}

async fn connect(client: &mut Client, peer: &str) -> Result<(), Failure> {
    let mut already = Vec::new();
    for _ in 0..2 {
        let address = peer.to_owned();
        let answer = client.peers.connect_peer(unary(ConnectPeerRequest { address })).await?;
        already.push(answer.into_inner().already_connected);
    }
    let request = ListPeersRequest { page_size: 10, ..Default::default() };
    let peers = client.peers.list_peers(unary(request)).await?.into_inner().peers;
    let listed = peers.iter().any(|each| each.address == peer);
    print_line("connect", json!({ "already_connected": already, "listed": listed }));
    Ok(())
}

/// Mines blocks and returns their numbers.
async fn generate(client: &mut Client, count: u32) -> Result<Vec<u64>, Failure> {
    let request = GenerateBlocksRequest { count, ..Default::default() };
    let mut stream = client.miner.generate_blocks(streaming(request)).await?.into_inner();
    let mut numbers = Vec::new();
    while let Some(answer) = stream.message().await? {
        numbers.push(answer.block.ok_or(LACKING)?.number);
    }
    Ok(numbers)
}

/// Pays, and again with the same request id; returns the id of the transaction.
async fn transfer_twice(client: &mut Client) -> Result<String, Failure> {
    let request = TransferRequest {
        recipient: RECIPIENT.to_owned(),
        amount: 250,
        request_id: "scenario-1".to_owned(),
    };
    let first = client.wallet.transfer(unary(request.clone())).await?.into_inner();
    let again = client.wallet.transfer(unary(request)).await?.into_inner();
    let state = first.state().as_str_name();
    let id = first.transaction.ok_or(LACKING)?.id;
    let same = again.transaction.ok_or(LACKING)?.id == id;
    print_line("transfer", json!({ "state": state, "same": same }));
    Ok(id)
}

async fn mined(client: &mut Client, id: String) -> Result<(), Failure> {
    generate(client, 1).await?;
    let included = client.chain.get_transaction(unary(GetTransactionRequest { id })).await?;
    let included = included.into_inner();
    let request = GetAccountRequest { address: RECIPIENT.to_owned(), ..Default::default() };
    let paid = client.chain.get_account(unary(request)).await?.into_inner();
    let figures = json!({
        "block": included.block.ok_or(LACKING)?.number,
        "confirmations": included.confirmations,
        "balance": paid.account.ok_or(LACKING)?.balance,
    });
    print_line("mined", figures);
    Ok(())
}

async fn watch_and_resume(client: &mut Client) -> Result<(), Failure> {
    let mut events = watch_tips(client, None, 3, 2).await?;
    print_line("watch", json!({ "tips": numbers_of(&events)? }));
    generate(client, 1).await?;
    let last = events.last().ok_or(LACKING)?;
    let position = EventPosition { epoch: last.epoch.clone(), sequence: last.sequence };
    let after = watch_tips(client, Some(position), 1, 3).await?;
    let tips = numbers_of(&after)?;
    events.extend(after);
    let ascending = events
        .is_sorted_by(|before, each| before.epoch == each.epoch && before.sequence < each.sequence);
    print_line("resume", json!({ "tips": tips, "ascending": ascending }));
    Ok(())
}

/// Watches from a position on (none: from now), mines blocks once the watch has started, and breaks off
/// when it has seen as many tips as wanted.
async fn watch_tips(
    client: &mut Client,
    resume_after: Option<EventPosition>,
    mine: u32,
    want: usize,
) -> Result<Vec<Event>, Failure> {
    let request = WatchEventsRequest { types: vec![EventType::TipChanged.into()], resume_after };
    let mut stream = client.events.watch_events(streaming(request)).await?.into_inner();
    let mut tips = Vec::new();
    while tips.len() < want {
        let answer = stream.message().await?.ok_or("the stream ended")?;
        let event = answer.event.ok_or(LACKING)?;
        if event.r#type() == EventType::WatchStarted {
            generate(client, mine).await?;
        } else {
            tips.push(event);
        }
    }
    Ok(tips)
}

fn numbers_of(tips: &[Event]) -> Result<Vec<u64>, Failure> {
    let mut numbers = Vec::new();
    for each in tips {
        let Some(Body::TipChanged(moved)) = &each.body else {
            return Err(format!("an event that was not asked for: {:?}", each.r#type()).into());
        };
        numbers.push(moved.tip.as_ref().ok_or(LACKING)?.number);
    }
    Ok(numbers)
}

async fn be_refused(client: &mut Client) -> Result<(), Failure> {
    let request = GetBlockRequest { block: Some(Block::Hash("0".repeat(64))) };
    let unknown = client.chain.get_block(unary(request)).await;
    print_refusal("unknown-block", unknown)?;
    let request = TransferRequest {
        recipient: RECIPIENT.to_owned(),
        amount: 1_000_000,
        ..Default::default()
    };
    let too_much = client.wallet.transfer(unary(request)).await;
    print_refusal("too-much", too_much)?;
    let request = ConnectPeerRequest { address: "nowhere".to_owned() };
    let bad_field = client.peers.connect_peer(unary(request)).await;
    print_refusal("bad-field", bad_field)
}
