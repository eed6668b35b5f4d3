// Package gateway is a client of a gateway's local port: TLS 1.3 with the system's certificate, a request id for each
// change, and a watch that goes on after an interruption.
package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	pb "example.org/customs/gen/gateway/v1"
)

const (
	callTime = 10 * time.Second
	pause    = time.Second
)

// Connection has the files and the address of one system at one gateway.
type Connection struct {
	Address, CA, Certificate, Key string
	ServerName                    string // NODE.FEDERATION, where the certificate doesn't name the host
}

// Client calls one gateway.
type Client struct {
	conn   *grpc.ClientConn
	alerts pb.AlertServiceClient
}

// Dial reads the files; the connection is made with the first call.
func Dial(to Connection) (*Client, error) {
	pem, err := os.ReadFile(to.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", to.CA)
	}
	certificate, err := tls.LoadX509KeyPair(to.Certificate, to.Key)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{certificate}, ServerName: to.ServerName,
	}
	conn, err := grpc.NewClient(to.Address, grpc.WithTransportCredentials(credentials.NewTLS(settings)))
	if err != nil {
		return nil, err
	}
	return &Client{conn, pb.NewAlertServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Publish sends an alert given as JSON and returns its id. Sent again with its request id, it is published once.
func (c *Client) Publish(ctx context.Context, json []byte, recipients []string) (string, error) {
	content := &pb.AlertContent{}
	if err := protojson.Unmarshal(json, content); err != nil {
		return "", err
	}
	request := &pb.PublishAlertRequest{RequestId: newUUID(), Recipients: recipients, Content: content}
	for attempt := 1; ; attempt++ {
		call, cancel := context.WithTimeout(ctx, callTime)
		response, err := c.alerts.PublishAlert(call, request)
		cancel()
		if err == nil {
			return response.AlertId, nil
		}
		if attempt == 3 || !transient(err) {
			return "", err
		}
		time.Sleep(pause)
	}
}

// List calls back with each alert, newest first.
func (c *Client) List(ctx context.Context, filter string, show func(*pb.AlertSummary)) error {
	for token := ""; ; {
		call, cancel := context.WithTimeout(ctx, callTime)
		page, err := c.alerts.ListAlerts(call, &pb.ListAlertsRequest{Filter: filter, PageToken: token, PageSize: 100})
		cancel()
		if err != nil {
			return err
		}
		for _, summary := range page.Alerts {
			show(summary)
		}
		if token = page.NextPageToken; token == "" {
			return nil
		}
	}
}

// Watch calls back with every change after a position, once and in order, across interruptions, until it returns false.
// Store the change's position with its effect.
func (c *Client) Watch(ctx context.Context, position uint64, take func(*pb.AlertChange) bool) error {
	for {
		err := c.watchOnce(ctx, &position, take)
		if err == nil || !transient(err) {
			return err
		}
		time.Sleep(pause)
	}
}

func (c *Client) watchOnce(ctx context.Context, position *uint64, take func(*pb.AlertChange) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.alerts.WatchAlerts(ctx, &pb.WatchAlertsRequest{Position: *position})
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.Unavailable, "the stream ended")
		}
		if err != nil {
			return err
		}
		for _, change := range response.Changes {
			if !take(change) {
				return nil
			}
			*position = change.Position
		}
	}
}

// Reason is the error's reason from the list in the reference, e.g. AGREEMENT_FORBIDS.
func Reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return status.Code(err).String()
}

func transient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded:
		return true
	}
	return false
}

// newUUID makes a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
