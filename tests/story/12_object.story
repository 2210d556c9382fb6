# Objects: versions, keys, owners, ends, files, and what survives.

== a version rises by one with each change, and may be demanded
client c
    [     0] c < WELCOME
c put n body=one create
    [     0] c < ANSWER n v1 one
c put n body=two
    [     0] c < ANSWER n v2 two
c put n body=three version=2
    [     0] c < ANSWER n v3 three
c put n body=late version=2
    [     0] c < ANSWER CONFLICT
c put n body=late version=2 replace
    [     0] c < ANSWER CONFLICT
c put m body=x version=1
    [     0] c < ANSWER CONFLICT
c fetch n
    [     0] c < ANSWER n v3 three

== a drop may demand a version, and tells what it took
client c
    [     0] c < WELCOME
c put n body=one
    [     0] c < ANSWER n v1 one
c put n body=two
    [     0] c < ANSWER n v2 two
c drop n version=1
    [     0] c < ANSWER CONFLICT
c drop n version=2
    [     0] c < ANSWER n v2 two
c drop n version=2
    [     0] c < ANSWER NOT_FOUND
c fetch n
    [     0] c < ANSWER NOT_FOUND

== what is taken once is taken by one
client c
    [     0] c < WELCOME
client d
    [     0] d < WELCOME
c put token body=secret
    [     0] c < ANSWER token v1 secret
hold
c drop token
d drop token
go
    [     0] c < ANSWER token v1 secret
    [     0] d < ANSWER NOT_FOUND

== keys find an object, and stay what they are unless they are given
client c
    [     0] c < WELCOME
c put ann body=1 keys=ann@x,a owner=team
    [     0] c < ANSWER ann v1 1 of team
c fetch a
    [     0] c < ANSWER ann v1 1 of team
c fetch ann@x
    [     0] c < ANSWER ann v1 1 of team
c put ann body=2
    [     0] c < ANSWER ann v2 2 of team
c fetch ann@x
    [     0] c < ANSWER ann v2 2 of team
c put ann body=3 keys=b
    [     0] c < ANSWER ann v3 3 of team
c fetch a
    [     0] c < ANSWER NOT_FOUND
c fetch b
    [     0] c < ANSWER ann v3 3 of team
c put ann body=4 clear=keys,owner
    [     0] c < ANSWER ann v4 4
c fetch b
    [     0] c < ANSWER NOT_FOUND
c fetch ann
    [     0] c < ANSWER ann v4 4

== names and keys of a kind are one space
client c
    [     0] c < WELCOME
c put ann body=1 keys=a
    [     0] c < ANSWER ann v1 1
c put bob body=2 keys=a
    [     0] c < ANSWER CONFLICT
c put bob body=2 keys=ann
    [     0] c < ANSWER CONFLICT
c put a body=2
    [     0] c < ANSWER CONFLICT
c put a body=2 replace
    [     0] c < ANSWER CONFLICT
c put bob body=2 keys=b,b
    [     0] c < ANSWER VALIDATION_ERROR
c put bob body=2 keys=bob
    [     0] c < ANSWER VALIDATION_ERROR
c put bob body=2 keys=b,c,d,e,f
    [     0] c < ANSWER VALIDATION_ERROR
c put bob body=2 keys=b
    [     0] c < ANSWER bob v1 2
c put ann body=3 keys=b
    [     0] c < ANSWER CONFLICT
c put other kind=preset body=4 keys=a
    [     0] c < ANSWER other v1 4
c fetch a
    [     0] c < ANSWER ann v1 1

== a key that was given up can be taken in the same group
client c
    [     0] c < WELCOME
c put ann body=1 keys=a
    [     0] c < ANSWER ann v1 1
c put bob body=2
    [     0] c < ANSWER bob v1 2
hold
c put bob body=3
c put ann body=4 clear=keys
c put bob body=5 keys=a
go
    [     0] c < ANSWER bob v2 3
    [     0] c < ANSWER ann v2 4
    [     0] c < ANSWER bob v3 5
stored 6
    [     0] stored: ann v2 4; bob v3 5;
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c fetch a
    [     0] c < ANSWER bob v3 5
stored 6
    [     0] stored: ann v2 4; bob v3 5;

== of a name that is dropped and taken again in one group the last counts
client c
    [     0] c < WELCOME
c put n body=one keys=k
    [     0] c < ANSWER n v1 one
hold
c drop n
c put n body=two
c drop n
c put n body=three keys=k
go
    [     0] c < ANSWER n v1 one
    [     0] c < ANSWER n v1 two
    [     0] c < ANSWER n v1 two
    [     0] c < ANSWER n v1 three
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c fetch k
    [     0] c < ANSWER n v1 three
stored 6
    [     0] stored: n v1 three;

== objects survive a crash when they were acknowledged, and only then
client c
    [     0] c < WELCOME
c put n body=one keys=k owner=ann
    [     0] c < ANSWER n v1 one of ann
hold
c put n body=two
c put m body=new
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c fetch k
c fetch m
stored 6
    [     0] stored: n v1 one of ann;

== an object is found by its number, of its own brand and kind
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
c put n body=one
    [     0] c < ANSWER n v1 one
c fetch #1
    [     0] c < ANSWER n v1 one
c fetch #1 kind=preset
    [     0] c < ANSWER NOT_FOUND
d fetch #1
    [     0] d < ANSWER NOT_FOUND
c fetch #99
    [     0] c < ANSWER NOT_FOUND
c put #1 body=two
    [     0] c < ANSWER n v2 two
c put #1 body=two create
    [     0] c < ANSWER VALIDATION_ERROR
c put #77 body=two
    [     0] c < ANSWER NOT_FOUND
c drop #1
    [     0] c < ANSWER n v2 two
c fetch #1
    [     0] c < ANSWER NOT_FOUND

== from its end on an object is not there
client c
    [     0] c < WELCOME
c put n body=one keys=k until=5000
    [     0] c < ANSWER n v1 one until 5000
c fetch k
    [     0] c < ANSWER n v1 one until 5000
wait 4999
c fetch k
    [  4999] c < ANSWER n v1 one until 1
wait 1
c fetch k
    [  5000] c < ANSWER NOT_FOUND
c fetch n
    [  5000] c < ANSWER NOT_FOUND
c put n body=x replace
    [  5000] c < ANSWER NOT_FOUND
c drop n
    [  5000] c < ANSWER NOT_FOUND
stored 6
    [  5000] stored: n v1 one until 0;

== a name whose object has ended is free, and so are its keys
client c
    [     0] c < WELCOME
c put n body=one keys=k until=1000 owner=ann
    [     0] c < ANSWER n v1 one of ann until 1000
wait 1000
c put n body=two create
    [  1000] c < ANSWER n v1 two
c put m body=three keys=k create
    [  1000] c < ANSWER m v1 three
c fetch n
    [  1000] c < ANSWER n v1 two
c fetch k
    [  1000] c < ANSWER m v1 three
stored 6
    [  1000] stored: n v1 two; m v1 three;

== what has ended leaves the disk in time
client c
    [     0] c < WELCOME
quiet
many 150 t c put % body=x until=1000
loud
c put stays body=y
    [     0] c < ANSWER stays v1 y
quiet
wait 400000
loud
stored 6
    [400000] stored: stays v1 y;
crash
    [400000] the broker is back
c hello
    [400000] c < WELCOME
stored 6
    [400000] stored: stays v1 y;

== an end that is set to the past is found as well
client c
    [     0] c < WELCOME
quiet
wait 300000
loud
c put n body=one until=-5
    [300000] c < ANSWER n v1 one until -5
c fetch n
    [300000] c < ANSWER NOT_FOUND
stored 6
    [300000] stored: n v1 one until -5;
quiet
wait 300000
loud
stored 6
    [600000] stored:

== an end can be taken away
client c
    [     0] c < WELCOME
c put n body=one until=1000
    [     0] c < ANSWER n v1 one until 1000
c put n body=two clear=until
    [     0] c < ANSWER n v2 two
wait 1000
c fetch n
    [  1000] c < ANSWER n v2 two
stored 6
    [  1000] stored: n v2 two;

== a file goes with its object and is owned once
client c
    [     0] c < WELCOME
c put n body=one file=7
    [     0] c < ANSWER n v1 one file 7
c put m body=two file=7
    [     0] c < ANSWER CONFLICT
c put n body=three
    [     0] c < ANSWER n v2 three file 7
c put n body=four file=7
    [     0] c < ANSWER n v3 four file 7
c put n body=five file=8
    [     0] c < ANSWER n v4 five file 8
c put m body=six file=7
    [     0] c < ANSWER CONFLICT
c drop n
    [     0] c < ANSWER n v4 five file 8
c put m body=seven file=8
    [     0] c < ANSWER CONFLICT
c put m body=eight file=9
    [     0] c < ANSWER m v1 eight file 9
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c put n body=nine file=9
    [     0] c < ANSWER CONFLICT
c put m body=ten clear=file
    [     0] c < ANSWER m v2 ten
c fetch m
    [     0] c < ANSWER m v2 ten
stored 6
    [     0] stored: m v2 ten;

== a file goes when its object's time has come
client c
    [     0] c < WELCOME
c put n body=one file=7 until=1000
    [     0] c < ANSWER n v1 one until 1000 file 7
quiet
wait 400000
loud
stored 6
    [400000] stored:
c put n body=two file=7
    [400000] c < ANSWER CONFLICT
c put n body=two file=8 until=1000
    [400000] c < ANSWER n v1 two until 1000 file 8
wait 1000
c put n body=three file=9
    [401000] c < ANSWER n v1 three file 9
stored 6
    [401000] stored: n v1 three file 9;

== a file that two ask for in one group goes to the first
client c
    [     0] c < WELCOME
hold
c put n body=one file=7
c put m body=two file=7
go
    [     0] c < ANSWER n v1 one file 7
    [     0] c < ANSWER CONFLICT

== there is a limit to how many objects there are
limits objects=2
client c
    [     0] c < WELCOME
c put a body=1
    [     0] c < ANSWER a v1 1
c put b body=2
    [     0] c < ANSWER b v1 2
c put c body=3
    [     0] c < ANSWER LIMIT_REACHED
c put a body=4
    [     0] c < ANSWER a v2 4
c drop b
    [     0] c < ANSWER b v1 2
c put c body=3
    [     0] c < ANSWER c v1 3
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c put d body=4
    [     0] c < ANSWER LIMIT_REACHED

== what is of the installation is for administrators
client c
    [     0] c < WELCOME
client r admin
    [     0] r < WELCOME
c put ann kind=user body=x
    [     0] c < ANSWER FORBIDDEN
c fetch ann kind=user
    [     0] c < ANSWER FORBIDDEN
r put ann kind=user body=x keys=ann@x
    [     0] r < ANSWER ann v1 x
r fetch ann@x kind=user
    [     0] r < ANSWER ann v1 x
c drop ann kind=user
    [     0] c < ANSWER FORBIDDEN
r drop ann@x kind=user
    [     0] r < ANSWER ann v1 x

== several keys that are on disk are read together
limits cache=1
client c
    [     0] c < WELCOME
c put ann body=1 keys=a,b
    [     0] c < ANSWER ann v1 1
c put bob body=2 keys=c
    [     0] c < ANSWER bob v1 2
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
deaf
c put new body=3 keys=a,x,c
c put ann body=4 keys=b,y
c fetch a
c fetch x
go
    [     0] c < ANSWER ann v1 1
    [     0] c < ANSWER NOT_FOUND
    [     0] c < ANSWER CONFLICT
    [     0] c < ANSWER ann v2 4

== memory wins over a read that was asked for before
limits cache=1
client c
    [     0] c < WELCOME
c put ann body=1 keys=a
    [     0] c < ANSWER ann v1 1
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
deaf
c fetch a
c fetch ann
go
    [     0] c < ANSWER ann v1 1
    [     0] c < ANSWER ann v1 1
c put ann body=2 keys=b
    [     0] c < ANSWER ann v2 2
c fetch a
    [     0] c < ANSWER NOT_FOUND
c fetch b
    [     0] c < ANSWER ann v2 2

== little room for objects changes nothing
limits cache=1
client c
    [     0] c < WELCOME
c put n body=one keys=k
    [     0] c < ANSWER n v1 one
c put n body=two keys=l
    [     0] c < ANSWER n v2 two
c fetch k
    [     0] c < ANSWER NOT_FOUND
c fetch l
    [     0] c < ANSWER n v2 two
c put m body=three keys=k
    [     0] c < ANSWER m v1 three
c drop n
    [     0] c < ANSWER n v2 two
c fetch l
    [     0] c < ANSWER NOT_FOUND
c fetch k
    [     0] c < ANSWER m v1 three
stored 6
    [     0] stored: m v1 three;

== a disk that is full takes no objects, and lets them go
client c
    [     0] c < WELCOME
c put n body=one
    [     0] c < ANSWER n v1 one
disk full
c put n body=two
    [     0] c < ANSWER STORAGE_FULL
c fetch n
    [     0] c < ANSWER n v1 one
c drop n
    [     0] c < ANSWER n v1 one
