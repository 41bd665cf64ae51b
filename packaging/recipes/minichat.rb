class Minichat < Formula
  desc "@description@"
  homepage "@repository@"
  url "@repository@/releases/download/v@version@/minichat-@version@.tar.gz"
  sha256 "@sha256 .tar.gz@"
  license "MIT"

  depends_on "rust" => :build

  def install
    system "make"
    system "make", "install", "PREFIX=#{prefix}", "BASHDIR=#{bash_completion}",
           "ZSHDIR=#{zsh_completion}", "FISHDIR=#{fish_completion}"
  end

  service do
    run [opt_bin/"minichat", "server"]
    keep_alive crashed: true
  end

  test do
    assert_equal "minichat #{version}\n", shell_output("#{bin}/minichat --version")
  end
end
