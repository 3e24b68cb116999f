package kafkatest

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// Fetch sees to it that a version's jars are there, in the folder that it returns. Start
// does it as well; a Fetch before keeps the network out of a test's time. Home is
// as in Options, empty for its default. Several processes may fetch at once. What is
// missing for it is an error that says what to install.
func Fetch(ctx context.Context, home, version string) (jars string, err error) {
	if _, err := major(version); err != nil {
		return "", err
	}
	if home, err = homeOf(home); err != nil {
		return "", err
	}
	jars = filepath.Join(home, "kafka-"+version)
	if _, err := os.Stat(jars); err == nil {
		return jars, nil // it was renamed when it was complete
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New("Kafka's jars are not here, and mvn, which would fetch them, is not in PATH: install Maven 3.6 or newer (Debian: apt-get install maven; macOS: brew install maven)")
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("%w; set WEIR_KAFKA_HOME to a folder that can be written", err)
	}
	return jars, fetchInto(ctx, mvn, jars, version)
}

// fetchInto has Maven copy jars, first to a folder beside the one that they are to be in.
func fetchInto(ctx context.Context, mvn, jars, version string) error {
	aside, err := os.MkdirTemp(filepath.Dir(jars), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	pom := filepath.Join(aside, "pom.xml")
	if err := writePom(pom, version); err != nil {
		return err
	}
	copies := filepath.Join(aside, "jars")
	cmd := exec.Command(mvn, "-B", "-q", "-Dstyle.color=never", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+copies)
	if out, err := output(ctx, cmd); err != nil {
		return fmt.Errorf("mvn could not fetch Kafka %s: %w; see that there is such a release, and that Maven Central, or the mirror in Maven's settings.xml, can be reached:\n%s", version, err, complaints(out))
	}
	if _, err := os.Stat(filepath.Join(copies, "kafka_"+scala+"-"+version+".jar")); err != nil {
		return fmt.Errorf("mvn fetched no broker for Kafka %s: %w", version, err)
	}
	if err := os.Rename(copies, jars); err != nil {
		if _, there := os.Stat(jars); there != nil { // nobody else was quicker
			return err
		}
	}
	return nil
}

// complaints gives the first of Maven's errors, or all that it said.
func complaints(out []byte) string {
	var some []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "[ERROR]") && len(some) < 3 {
			some = append(some, line)
		}
	}
	if len(some) == 0 {
		return string(out)
	}
	return strings.Join(some, "")
}

// scala is the release that a broker's jar is named after.
const scala = "2.13"

// artifact is a jar in Maven's words.
type artifact struct{ Group, Artifact, Version string }

// logging gives what a broker of a version logs with: it is compiled against slf4j, and
// its pom leaves the rest to the distribution.
func logging(version string) []artifact {
	if isThree(version) {
		return []artifact{{"org.slf4j", "slf4j-reload4j", "1.7.36"}}
	}
	const log4j = "org.apache.logging.log4j"
	return []artifact{{log4j, "log4j-slf4j-impl", "2.24.3"}, {log4j, "log4j-core", "2.24.3"}, {log4j, "log4j-1.2-api", "2.24.3"}}
}

// isThree tells whether a version, which is valid, is below 4.
func isThree(version string) bool { return strings.HasPrefix(version, "3.") }

//go:embed pom.xml.tmpl
var pomText string

var pomTemplate = template.Must(template.New("pom.xml").Parse(pomText))

func writePom(path, version string) error {
	var pom bytes.Buffer
	err := pomTemplate.Execute(&pom, struct {
		Version, Scala string
		Logging        []artifact
	}{version, scala, logging(version)})
	if err != nil {
		return err
	}
	return os.WriteFile(path, pom.Bytes(), 0o644)
}
