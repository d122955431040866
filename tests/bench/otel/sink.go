// SPDX-License-Identifier: BSD-2-Clause

// Takes what is sent to it by gRPC, whatever it is, and answers with an empty message: an OTLP
// collector that keeps nothing. Prints its port, which is on loopback.
package main

import (
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/protobuf/types/known/emptypb"
)

func take(_ any, stream grpc.ServerStream) error {
	if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	return stream.SendMsg(&emptypb.Empty{})
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "sink: cannot listen:", err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := grpc.NewServer(grpc.UnknownServiceHandler(take), grpc.MaxRecvMsgSize(1<<28))
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, "sink: cannot serve:", err)
		os.Exit(1)
	}
}
