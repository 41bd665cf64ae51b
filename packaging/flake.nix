# For Nix, in a clone: nix run '.?dir=packaging'
{
  inputs.nixpkgs.url = "flake:nixpkgs";

  outputs =
    { nixpkgs, ... }:
    let
      cargo = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).package;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      build =
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        pkgs.rustPlatform.buildRustPackage {
          pname = cargo.name;
          version = cargo.version;
          src = ../.;
          cargoLock.lockFile = ../Cargo.lock;
          # The tests want terminals, sockets and network namespaces.
          doCheck = false;
          installPhase = ''
            runHook preInstall
            make install PREFIX="$out" BIN="$(echo target/*/release/minichat)"
            runHook postInstall
          '';
          meta = {
            description = cargo.description;
            homepage = cargo.repository;
            license = pkgs.lib.licenses.mit;
            mainProgram = cargo.name;
          };
        };
    in
    {
      packages = nixpkgs.lib.genAttrs systems (system: {
        default = build system;
      });
    };
}
