// Verifies a folder that exchange.py wrote, with Go's transparency-log libraries alone, and writes a checkpoint back.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const cosignedAt = 1768435200

var (
	folder           string
	logKey, cosigner note.Verifier
	verified         int
)

func main() {
	folder = os.Args[1]
	logKey = must(note.NewVerifier(read("log.vkey")))
	cosigner = must(fnote.NewVerifierForCosignatureV1(read("cosigner.vkey")))
	for _, path := range glob("checkpoint.*") {
		head := checkCheckpoint(read(path))
		checkTiles(head)
	}
	for _, path := range glob("*.tlog-proof") {
		checkProofFile(path)
	}
	for _, path := range glob("consistency.*") {
		checkConsistency(path)
	}
	writeBack()
	fmt.Printf("Go verified %d things\n", verified)
}

// checkCheckpoint opens a checkpoint signed by the log and cosigned, and expects changed bits of its text to be refused.
// (Not of its signature lines: Go's base64 ignores the unused bits of a last character. The gateway doesn't.)
func checkCheckpoint(data string) *flog.Checkpoint {
	head, _, opened, err := flog.ParseCheckpoint([]byte(data), logKey.Name(), logKey, cosigner)
	require(err)
	if len(opened.Sigs) != 2 || len(opened.UnverifiedSigs) != 0 {
		fail("checkpoint: %d signatures verified, %d not", len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	if at := must(fnote.CoSigV1Timestamp(opened.Sigs[1])); at.Unix() != cosignedAt {
		fail("checkpoint: cosigned at %v", at)
	}
	for bit := 0; bit < strings.Index(data, "\n\n")*8; bit++ {
		changed := []byte(data)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, _, _, err := flog.ParseCheckpoint(changed, logKey.Name(), logKey, cosigner); err == nil {
			fail("checkpoint: bit %d may be changed", bit)
		}
	}
	verified++
	return head
}

// checkTiles reads tree and proofs of a size out of the tiles; the reader checks every tile against the root.
func checkTiles(head *flog.Checkpoint) {
	size, root := int64(head.Size), tlog.Hash(head.Hash)
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, tiles{})
	if must(tlog.TreeHash(size, reader)) != root {
		fail("tiles of %d leaves have another root", size)
	}
	for _, index := range []int64{0, size / 3, size - 1} {
		path := must(tlog.ProveRecord(size, index, reader))
		require(tlog.CheckRecord(path, size, root, index, tlog.RecordHash(entry(uint64(index)))))
		verified++
	}
}

func checkProofFile(path string) {
	index, hashes, checkpoint := parseProofFile(read(path))
	head, _, _, err := flog.ParseCheckpoint([]byte(checkpoint), logKey.Name(), logKey, cosigner)
	require(err)
	leaf := rfc6962.DefaultHasher.HashLeaf(entry(index))
	require(proof.VerifyInclusion(rfc6962.DefaultHasher, index, head.Size, leaf, hashes, head.Hash))
	record := make(tlog.RecordProof, len(hashes))
	for i, hash := range hashes {
		record[i] = tlog.Hash(hash)
	}
	require(tlog.CheckRecord(record, int64(head.Size), tlog.Hash(head.Hash), int64(index), tlog.Hash(leaf)))
	leaf[0] ^= 1
	if proof.VerifyInclusion(rfc6962.DefaultHasher, index, head.Size, leaf, hashes, head.Hash) == nil {
		fail("%s: proves another leaf", path)
	}
	verified++
}

// parseProofFile reads a C2SP tlog-proof without extra data.
func parseProofFile(data string) (index uint64, hashes [][]byte, checkpoint string) {
	header, checkpoint, _ := strings.Cut(data, "\n\n")
	lines := strings.Split(header, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("not a proof file")
	}
	index = must(strconv.ParseUint(strings.TrimPrefix(lines[1], "index "), 10, 63))
	for _, line := range lines[2:] {
		hashes = append(hashes, must(base64.StdEncoding.DecodeString(line)))
	}
	return index, hashes, checkpoint
}

func checkConsistency(path string) {
	parts := strings.Split(path, ".")
	older, newer := headOf(parts[1]), headOf(parts[2])
	var encoded []string
	require(json.Unmarshal([]byte(read(path)), &encoded))
	hashes := make([][]byte, len(encoded))
	for i, each := range encoded {
		hashes[i] = must(hex.DecodeString(each))
	}
	require(proof.VerifyConsistency(rfc6962.DefaultHasher, older.Size, newer.Size, hashes, older.Hash, newer.Hash))
	hashes[0] = bytes.Repeat([]byte{0}, 32)
	if proof.VerifyConsistency(rfc6962.DefaultHasher, older.Size, newer.Size, hashes, older.Hash, newer.Hash) == nil {
		fail("%s: a changed proof verifies", path)
	}
	verified++
}

func headOf(size string) *flog.Checkpoint {
	head, _, _, err := flog.ParseCheckpoint([]byte(read("checkpoint."+size)), logKey.Name(), logKey)
	require(err)
	return head
}

// writeBack signs and cosigns a checkpoint under fresh keys, for exchange.py to verify.
func writeBack() {
	logSecret, logPublic, err := note.GenerateKey(rand.Reader, "go.example/log")
	require(err)
	cosignerSecret, cosignerPublic, err := note.GenerateKey(rand.Reader, "go.example/cosigner")
	require(err)
	leaf := rfc6962.DefaultHasher.HashLeaf(entry(0))
	body := flog.Checkpoint{Origin: "go.example/log", Size: 1, Hash: leaf}.Marshal()
	signed := must(note.Sign(&note.Note{Text: string(body)},
		must(note.NewSigner(logSecret)), must(fnote.NewSignerForCosignatureV1(cosignerSecret))))
	for name, data := range map[string]string{
		"go.checkpoint": string(signed), "go.log.vkey": logPublic, "go.cosigner.vkey": cosignerPublic,
	} {
		require(os.WriteFile(filepath.Join(folder, name), []byte(data), 0o600))
	}
}

// tiles reads the published tiles; the gateway's paths leave out the height that this library puts in its own.
type tiles struct{}

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (tiles) ReadTiles(wanted []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data = append(data, []byte(read(path)))
	}
	return data, nil
}

func entry(index uint64) []byte { return []byte(fmt.Sprintf("entry header %d", index)) }

func read(path string) string { return string(must(os.ReadFile(filepath.Join(folder, path)))) }

func glob(pattern string) (names []string) {
	for _, path := range must(filepath.Glob(filepath.Join(folder, pattern))) {
		names = append(names, filepath.Base(path))
	}
	if len(names) == 0 {
		fail("no file %s", pattern)
	}
	return names
}

func must[T any](value T, err error) T {
	require(err)
	return value
}

func require(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
