package messages

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=.. --go_opt=module=github.com/weirflow/weir stream.proto checkpoint.proto control.proto"
