// SPDX-License-Identifier: BSD-2-Clause

// The OTLP receiver of the OpenTelemetry collector, alone: collector ADDRESS:PORT. It prints READY, and then of each request how
// many samples were in it, and ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/receiver/xreceiver"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func count(_ context.Context, p pprofile.Profiles) error {
	total := int64(0)
	for _, resource := range p.ResourceProfiles().All() {
		for _, scope := range resource.ScopeProfiles().All() {
			for _, profile := range scope.Profiles().All() {
				for _, sample := range profile.Samples().All() {
					total += sample.Values().At(0)
				}
			}
		}
	}
	fmt.Println("samples", total)
	return nil
}

func main() {
	ctx := context.Background()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = os.Args[1]
	config.Protocols.GRPC = configoptional.None[configgrpc.ServerConfig]()
	next, err := xconsumer.NewProfiles(count)
	must(err)
	receiver, err := factory.(xreceiver.Factory).CreateProfiles(ctx, receivertest.NewNopSettings(factory.Type()), config, next)
	must(err)
	must(receiver.Start(ctx, componenttest.NewNopHost()))
	fmt.Println("READY")
	_, _ = io.Copy(io.Discard, os.Stdin)
	must(receiver.Shutdown(ctx))
}
