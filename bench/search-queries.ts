/**
 * What somebody types, and the packages that a person who types it means.
 *
 * Judged by hand from the names, synopses, descriptions and tags of the opam catalogue, before any engine was asked, and
 * not changed by what an engine answers. Where several packages do what is asked for, each that somebody who asks would
 * be content with is named, and none that merely has the words. Names are as this registry writes them, in lower case.
 */
export interface JudgedQuery {
  kind: QueryKind
  text: string
  meant: readonly string[]
}

/**
 * `name`: the package's own; `intent`: what it is for, in one word or more; `prefix`: a name or word not yet typed to its
 * end; `typo`: misspelt; `code`: as names are written in code or in another language's packages.
 */
export type QueryKind = 'name' | 'intent' | 'prefix' | 'typo' | 'code'

export const JUDGED_QUERIES: readonly JudgedQuery[] = [
  ...queries('name', {
    lwt: ['lwt'],
    cohttp: ['cohttp'],
    dune: ['dune'],
    re: ['re'],
    fmt: ['fmt'],
    base: ['base'],
    eio: ['eio', 'eio_main'],
    irmin: ['irmin'],
    menhir: ['menhir'],
    toml: ['toml', 'otoml'],
    uuid: ['uuidm'],
    zip: ['camlzip', 'zipc'],
    sdl: ['tsdl', 'ocamlsdl2', 'ocamlsdl'],
    ctypes: ['ctypes'],
    'alcotest lwt': ['alcotest-lwt'],
    merlin: ['merlin']
  }),
  ...queries('intent', {
    'json parser': ['yojson', 'jsonm', 'ezjsonm', 'jsont', 'jsonaf'],
    'streaming json': ['jsonm'],
    'http client': ['cohttp', 'cohttp-lwt-unix', 'http-lwt-client', 'ezcurl', 'curl', 'piaf', 'httpcats'],
    'web framework': ['dream', 'opium', 'sihl', 'eliom'],
    'web server': ['dream', 'httpaf', 'ocsigenserver', 'tiny_httpd', 'cohttp', 'h1'],
    postgres: ['postgresql', 'pgx', 'pgocaml', 'caqti-driver-postgresql'],
    'postgresql client': ['pgx', 'postgresql', 'pgocaml', 'caqti-driver-postgresql'],
    'database access sql': ['caqti'],
    mysql: ['mysql', 'mysql8', 'mariadb', 'caqti-driver-mariadb', 'mysql_protocol'],
    sqlite: ['sqlite3', 'caqti-driver-sqlite3'],
    'yaml parser': ['yaml', 'yamlx'],
    'read csv files': ['csv'],
    'xml parser': ['xmlm', 'xml-light', 'markup', 'pxp'],
    websocket: ['websocket', 'websocket-lwt-unix', 'websocketaf', 'httpun-ws'],
    'regular expressions': ['re', 'pcre', 'pcre2', 're2'],
    'parser combinators': ['angstrom', 'mparser', 'opal'],
    'parser generator': ['menhir', 'dypgen'],
    'command line parsing': ['cmdliner', 'minicli', 'cmdlang', 'climate', 'clap'],
    'redis client': [
      'redis',
      'redis-lwt',
      'redis-sync',
      'redis-async',
      'resp-client',
      'hiredis',
      'valkey',
      'orewa'
    ],
    markdown: ['omd', 'cmarkit', 'mdx'],
    'property based testing': ['qcheck', 'qcheck-core', 'base_quickcheck', 'popper', 'crowbar'],
    'unit test': ['alcotest', 'ounit2', 'qtest', 'tezt', 'windtrap', 'testo'],
    'code coverage': ['bisect_ppx'],
    logging: ['logs', 'dolog', 'lwt_log'],
    'protocol buffers': ['ocaml-protoc', 'ocaml-protoc-plugin', 'ppx_deriving_protobuf', 'pbrt'],
    'sha256 hash': ['digestif', 'sha', 'cryptokit'],
    'elliptic curve cryptography': ['mirage-crypto-ec'],
    tls: ['opam-tls', 'tls-lwt', 'tls-eio'],
    'ssh implementation': ['awa'],
    'send email': ['letters', 'sendmail', 'sendmail-lwt', 'colombe', 'tidy_email', 'smtp'],
    'unicode normalization': ['uunf'],
    'arbitrary precision integers': ['zarith', 'num'],
    'linear algebra': ['lacaml', 'owl', 'slap'],
    'deep learning': ['kaun', 'neural_nets_lib', 'tensorflow', 'torch'],
    plotting: ['hugin', 'archimedes', 'plplot', 'owl-plplot', 'plotly', 'gr'],
    'date and time': ['calendar', 'timedesc', 'ptime', 'odate', 'timmy', 'timere'],
    'base64 encoding': ['base64'],
    'gzip compression': ['decompress', 'camlzip', 'ezgzip'],
    'template engine': ['jingoo', 'mustache', 'handlebars-ml'],
    'terminal ui': ['nottui', 'notty', 'lambda-term', 'mosaic', 'spices', 'matrix'],
    'progress bar': ['progress', 'tqdm'],
    'graph algorithms': ['ocamlgraph', 'graphlib'],
    'compile to javascript': ['js_of_ocaml', 'js_of_ocaml-compiler', 'melange'],
    'sat solver': ['minisat', 'msat', 'ocaml-sat-solvers'],
    'language server': ['ocaml-lsp-server', 'lsp', 'linol'],
    'code formatter': ['ocamlformat'],
    'html scraping css selectors': ['lambdasoup'],
    'static site generator': ['yocaml', 'stog', 'soupault', 'camyll', 'raga'],
    'lru cache': ['lru', 'lru_cache'],
    'bloom filter': ['bloomf'],
    'edit distance fuzzy string': ['spelll', 'mula', 'levenshtein', 'fuzzy_match', 'wu-manber-fuzzy-search'],
    'rss feed': ['syndic', 'rss', 'ocamlrss', 'river'],
    'file change notification': ['inotify', 'fswatch', 'irmin-watcher'],
    'dns resolver': ['dns-resolver', 'dns-client', 'opam-dns', 'dns-stub'],
    'ip address': ['ipaddr'],
    'password hashing': ['argon2', 'safepass', 'passe', 'scrypt-kdf', 'scrypt'],
    'qr code': ['qrc', 'qrencode'],
    'msgpack serialization': ['msgpck', 'msgpack'],
    'lock free data structures': ['saturn', 'saturn_lockfree', 'kcas'],
    'read pdf': ['camlpdf', 'cpdf'],
    'call python from ocaml': ['pyml'],
    'prometheus metrics': ['prometheus', 'prometheus-app', 'prometheus-reporter'],
    'json web token': ['jwto', 'jwt'],
    'amazon s3': ['aws-s3', 'aws-s3-lwt', 'aws-s3-async', 'awskit-s3'],
    "let's encrypt certificate": ['letsencrypt', 'letsencrypt-dns', 'dns-certify', 'letsencrypt-app'],
    'semantic versioning': ['semver', 'semver2', 'semantic_version'],
    dataframes: ['talon', 'polars', 'dataframe'],
    'hardware design rtl': ['hardcaml'],
    'benchmark functions': ['core_bench', 'bechamel', 'benchmark'],
    'priority queue': ['bheap', 'psq', 'intpqueue'],
    'discord bot': ['disml'],
    'deriving show and eq for types': ['ppx_deriving', 'ppx_show']
  }),
  ...queries('prefix', {
    yojs: ['yojson'],
    cmdl: ['cmdliner', 'cmdlang'],
    alcot: ['alcotest'],
    angst: ['angstrom'],
    graphq: ['graphql'],
    zari: ['zarith'],
    ppx_deriving_yo: ['ppx_deriving_yojson'],
    'linear alg': ['lacaml', 'owl', 'slap'],
    'parser comb': ['angstrom', 'mparser', 'opal'],
    lablg: ['lablgtk', 'lablgtk3', 'lablgl']
  }),
  ...queries('typo', {
    yosjon: ['yojson'],
    cmdlinr: ['cmdliner'],
    alcotset: ['alcotest'],
    menhri: ['menhir'],
    'postgresq clinet': ['postgresql', 'pgx', 'pgocaml', 'caqti-driver-postgresql'],
    markdwon: ['omd', 'cmarkit', 'mdx'],
    'regluar expression': ['re', 'pcre', 'pcre2', 're2'],
    ocamlgrpah: ['ocamlgraph'],
    qcehck: ['qcheck', 'qcheck-core'],
    zarth: ['zarith'],
    'compresion gzip': ['decompress', 'camlzip', 'ezgzip'],
    websoket: ['websocket', 'websocket-lwt-unix', 'websocketaf', 'httpun-ws']
  }),
  ...queries('code', {
    'js-of-ocaml': ['js_of_ocaml'],
    jsofocaml: ['js_of_ocaml'],
    ppxDeriving: ['ppx_deriving'],
    'ppx deriving yojson': ['ppx_deriving_yojson'],
    'ocaml protoc': ['ocaml-protoc'],
    lambdaSoup: ['lambdasoup'],
    tinyHttpd: ['tiny_httpd'],
    'bisect-ppx': ['bisect_ppx'],
    'mirage crypto rng': ['mirage-crypto-rng'],
    'core-bench': ['core_bench']
  })
]

function queries(kind: QueryKind, meant: Readonly<Record<string, readonly string[]>>): JudgedQuery[] {
  return Object.entries(meant).map(([text, names]) => ({ kind, text, meant: names }))
}
