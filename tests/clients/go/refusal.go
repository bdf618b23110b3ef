package main

import (
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// printRefusal prints what a call failed with. It is an error if the call did not fail, or without a reason.
func printRefusal(step string, failure error) error {
	if failure == nil {
		return fmt.Errorf("%s: the call was not refused", step)
	}
	refused, fields := status.Convert(failure), []string{}
	var info *errdetails.ErrorInfo
	for _, detail := range refused.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			info = detail
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				fields = append(fields, violation.GetField())
			}
		}
	}
	if info == nil {
		return fmt.Errorf("%s: %w", step, failure)
	}
	metadata := info.GetMetadata()
	if metadata == nil {
		metadata = map[string]string{} // a nil map is "null" in JSON
	}
	return printLine(step, line{
		"code":     code.Code(refused.Code()).String(),
		"domain":   info.GetDomain(),
		"reason":   info.GetReason(),
		"metadata": metadata,
		"fields":   fields,
	})
}
