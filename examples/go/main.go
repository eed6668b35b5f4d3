// A customs system's client:
//
//	go run . -address 127.0.0.1:7444 -ca ca.pem -cert risk-engine.pem -key risk-engine.key COMMAND
//	  publish FILE RECIPIENT…   publish the alert in a JSON file; prints its id
//	  list [FILTER]             print the alerts' names, newest first
//	  watch COUNT               print so many changes as they come
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"

	pb "example.org/customs/gen/gateway/v1"

	"example.org/customs/gateway"
)

func main() {
	var to gateway.Connection
	flag.StringVar(&to.Address, "address", "127.0.0.1:7444", "host:port of the gateway's local port")
	flag.StringVar(&to.CA, "ca", "", "your authority's CA, PEM")
	flag.StringVar(&to.Certificate, "cert", "", "the system's certificate, PEM")
	flag.StringVar(&to.Key, "key", "", "the system's key, PEM")
	flag.StringVar(&to.ServerName, "server-name", "", "NODE.FEDERATION, where the certificate doesn't name the host")
	flag.Parse()
	if err := run(to, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", gateway.Reason(err), err)
		os.Exit(1)
	}
}

func run(to gateway.Connection, words []string) error {
	client, err := gateway.Dial(to)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := context.Background()
	switch {
	case len(words) >= 3 && words[0] == "publish":
		json, err := os.ReadFile(words[1])
		if err != nil {
			return err
		}
		id, err := client.Publish(ctx, json, words[2:])
		if err == nil {
			fmt.Println(id)
		}
		return err
	case len(words) >= 1 && words[0] == "list":
		filter := ""
		if len(words) > 1 {
			filter = words[1]
		}
		return client.List(ctx, filter, func(s *pb.AlertSummary) { fmt.Println(s.Alert.Publisher + "/" + s.Alert.Id) })
	case len(words) == 2 && words[0] == "watch":
		left, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		return client.Watch(ctx, 0, func(change *pb.AlertChange) bool {
			fmt.Println(change.Position, change.Alert.GetPublisher()+"/"+change.Alert.GetAlertId())
			left--
			return left > 0
		})
	}
	return errors.New("commands: publish FILE RECIPIENT…, list [FILTER], watch COUNT")
}
