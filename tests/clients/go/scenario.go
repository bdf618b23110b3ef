package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	admin "troupe-client/gen/troupe/admin/v1"
)

const recipient = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

// direct goes through all steps; the first that does not go as it must ends it.
func direct(address, tokenFile, peer string) error {
	for _, step := range []struct{ name, token string }{{"no-token", ""}, {"wrong-token", "wrong"}} {
		if err := refusedAtTheDoor(address, step.name, step.token); err != nil {
			return err
		}
	}
	token, err := readToken(tokenFile)
	if err != nil {
		return err
	}
	node, err := dial(address, token)
	if err != nil {
		return err
	}
	defer node.connection.Close()
	for _, step := range []func() error{
		node.status,
		func() error { return node.connect(peer) },
		node.generateThree,
		node.transferTwice,
		node.watchAndResume,
		node.beRefused,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func refusedAtTheDoor(address, step, token string) error {
	stranger, err := dial(address, token)
	if err != nil {
		return err
	}
	defer stranger.connection.Close()
	_, failure := call(stranger.node.GetNode, &admin.GetNodeRequest{})
	return printRefusal(step, failure)
}

func (c *client) status() error {
	answer, err := call(c.node.GetNode, &admin.GetNodeRequest{})
	if err != nil {
		return fmt.Errorf("GetNode: %w", err)
	}
	node := answer.GetNode()
	return printLine("status", line{
		"name":    node.GetName(),
		"network": node.GetNetwork().GetName(),
		"state":   node.GetState().String(),
		"height":  node.GetTip().GetNumber(),
	})
}

func (c *client) connect(peer string) error {
	already := []bool{}
	for range 2 {
		answer, err := call(c.peers.ConnectPeer, &admin.ConnectPeerRequest{Address: peer})
		if err != nil {
			return fmt.Errorf("ConnectPeer: %w", err)
		}
		already = append(already, answer.GetAlreadyConnected())
	}
	answer, err := call(c.peers.ListPeers, &admin.ListPeersRequest{PageSize: 10})
	if err != nil {
		return fmt.Errorf("ListPeers: %w", err)
	}
	listed := slices.ContainsFunc(answer.GetPeers(), func(each *admin.Peer) bool {
		return each.GetAddress() == peer
	})
	return printLine("connect", line{"already_connected": already, "listed": listed})
}

// generate mines blocks and returns their numbers.
func (c *client) generate(count uint32) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), streamTimeout)
	defer cancel()
	stream, err := c.miner.GenerateBlocks(ctx, &admin.GenerateBlocksRequest{Count: count})
	if err != nil {
		return nil, fmt.Errorf("GenerateBlocks: %w", err)
	}
	numbers := []uint64{}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return numbers, nil
		}
		if err != nil {
			return nil, fmt.Errorf("GenerateBlocks: %w", err)
		}
		numbers = append(numbers, answer.GetBlock().GetNumber())
	}
}

func (c *client) generateThree() error {
	numbers, err := c.generate(3)
	if err != nil {
		return err
	}
	return printLine("generate", line{"blocks": numbers})
}

func (c *client) transferTwice() error {
	request := &admin.TransferRequest{Recipient: recipient, Amount: 250, RequestId: "scenario-1"}
	first, err := call(c.wallet.Transfer, request)
	if err != nil {
		return fmt.Errorf("Transfer: %w", err)
	}
	again, err := call(c.wallet.Transfer, request)
	if err != nil {
		return fmt.Errorf("Transfer again: %w", err)
	}
	id := first.GetTransaction().GetId()
	figures := line{"state": first.GetState().String(), "same": again.GetTransaction().GetId() == id}
	if err := printLine("transfer", figures); err != nil {
		return err
	}
	return c.mined(id)
}

func (c *client) mined(id string) error {
	if _, err := c.generate(1); err != nil {
		return err
	}
	included, err := call(c.chain.GetTransaction, &admin.GetTransactionRequest{Id: id})
	if err != nil {
		return fmt.Errorf("GetTransaction: %w", err)
	}
	paid, err := call(c.chain.GetAccount, &admin.GetAccountRequest{Address: recipient})
	if err != nil {
		return fmt.Errorf("GetAccount: %w", err)
	}
	return printLine("mined", line{
		"block":         included.GetBlock().GetNumber(),
		"confirmations": included.GetConfirmations(),
		"balance":       paid.GetAccount().GetBalance(),
	})
}

func (c *client) watchAndResume() error {
	before, err := c.watchTips(nil, 3, 2)
	if err != nil {
		return err
	}
	if err := printLine("watch", line{"tips": numbersOf(before)}); err != nil {
		return err
	}
	if _, err := c.generate(1); err != nil {
		return err
	}
	last := before[len(before)-1]
	position := &admin.EventPosition{Epoch: last.GetEpoch(), Sequence: last.GetSequence()}
	after, err := c.watchTips(position, 1, 3)
	if err != nil {
		return err
	}
	return printLine("resume", line{
		"tips":      numbersOf(after),
		"ascending": ascending(slices.Concat(before, after)),
	})
}

// watchTips watches from a position on (nil: from now), mines blocks once the watch has started, and breaks off
// when it has seen as many tips as wanted.
func (c *client) watchTips(from *admin.EventPosition, mine uint32, want int) ([]*admin.Event, error) {
	ctx, breakOff := context.WithTimeout(context.Background(), streamTimeout)
	defer breakOff()
	types := []admin.EventType{admin.EventType_EVENT_TYPE_TIP_CHANGED}
	stream, err := c.events.WatchEvents(ctx, &admin.WatchEventsRequest{Types: types, ResumeAfter: from})
	if err != nil {
		return nil, fmt.Errorf("WatchEvents: %w", err)
	}
	tips := []*admin.Event{}
	for len(tips) < want {
		answer, err := stream.Recv()
		if err != nil {
			return nil, fmt.Errorf("WatchEvents: %w", err)
		}
		event := answer.GetEvent()
		if event.GetType() != admin.EventType_EVENT_TYPE_WATCH_STARTED {
			tips = append(tips, event)
		} else if _, err := c.generate(mine); err != nil {
			return nil, err
		}
	}
	return tips, nil
}

func numbersOf(tips []*admin.Event) []uint64 {
	numbers := []uint64{}
	for _, each := range tips {
		numbers = append(numbers, each.GetTipChanged().GetTip().GetNumber())
	}
	return numbers
}

func ascending(events []*admin.Event) bool {
	for index, each := range events[1:] {
		before := events[index]
		if each.GetEpoch() != before.GetEpoch() || each.GetSequence() <= before.GetSequence() {
			return false
		}
	}
	return true
}

func (c *client) beRefused() error {
	hash := &admin.GetBlockRequest_Hash{Hash: strings.Repeat("0", 64)}
	_, unknown := call(c.chain.GetBlock, &admin.GetBlockRequest{Block: hash})
	if err := printRefusal("unknown-block", unknown); err != nil {
		return err
	}
	_, tooMuch := call(c.wallet.Transfer, &admin.TransferRequest{Recipient: recipient, Amount: 1_000_000})
	if err := printRefusal("too-much", tooMuch); err != nil {
		return err
	}
	_, badField := call(c.peers.ConnectPeer, &admin.ConnectPeerRequest{Address: "nowhere"})
	return printRefusal("bad-field", badField)
}
