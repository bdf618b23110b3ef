// Directs a troupe node over its admin plane: the scenario of ../README.md, in Go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	admin "troupe-client/gen/troupe/admin/v1"
)

//go:generate buf generate

const (
	callTimeout   = 30 * time.Second
	streamTimeout = 60 * time.Second
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: troupe-client ADMIN TOKEN_FILE PEER")
		os.Exit(2)
	}
	if err := direct(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// client is a connection to a node with a token, and the services that the scenario calls.
type client struct {
	connection *grpc.ClientConn
	node       admin.NodeServiceClient
	peers      admin.PeerServiceClient
	miner      admin.MinerServiceClient
	wallet     admin.WalletServiceClient
	chain      admin.ChainServiceClient
	events     admin.EventServiceClient
}

func dial(address, token string) (*client, error) {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(token)))
	if err != nil {
		return nil, err
	}
	return &client{
		connection: connection,
		node:       admin.NewNodeServiceClient(connection),
		peers:      admin.NewPeerServiceClient(connection),
		miner:      admin.NewMinerServiceClient(connection),
		wallet:     admin.NewWalletServiceClient(connection),
		chain:      admin.NewChainServiceClient(connection),
		events:     admin.NewEventServiceClient(connection),
	}, nil
}

// bearer sends a token with every call; "" is none.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if b == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is false: the admin plane speaks plaintext on the loopback interface.
func (b bearer) RequireTransportSecurity() bool { return false }

// call makes a unary call with a deadline.
func call[Q, A any](method func(context.Context, Q, ...grpc.CallOption) (A, error), request Q) (A, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	return method(ctx, request)
}

func readToken(path string) (string, error) {
	content, err := os.ReadFile(path)
	return strings.TrimSpace(string(content)), err
}

// line is what a step prints.
type line map[string]any

func printLine(step string, figures line) error {
	figures["step"] = step
	return json.NewEncoder(os.Stdout).Encode(figures)
}
