// The same routes on net/http and database/sql, statements prepared once.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

type city struct {
	CityID     int    `json:"cityId"`
	City       string `json:"city"`
	CountryID  int    `json:"countryId"`
	LastUpdate string `json:"lastUpdate"`
}

type page struct {
	Items []city  `json:"items"`
	Next  *string `json:"next"`
}

const columns = "select city_id, city, country_id, last_update from city "

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func open() *sql.DB {
	at := must(url.Parse(os.Getenv("DATABASE_URL")))
	size := must(strconv.Atoi(os.Getenv("POOL_SIZE")))
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", at.Host, strings.TrimPrefix(at.Path, "/")
	config.User = at.User.Username()
	config.Passwd, _ = at.User.Password()
	config.ParseTime = true
	db := must(sql.Open("mysql", config.FormatDSN()))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

func scan(row interface{ Scan(...any) error }) (city, error) {
	var found city
	var at time.Time
	err := row.Scan(&found.CityID, &found.City, &found.CountryID, &at)
	found.LastUpdate = at.UTC().Format("2006-01-02T15:04:05.000Z")
	return found, err
}

func sendJSON(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err == sql.ErrNoRows {
		w.WriteHeader(404)
		value = map[string]any{"title": "Not Found", "status": 404}
	} else if err != nil {
		http.Error(w, "", 500)
		return
	}
	_ = json.NewEncoder(w).Encode(value)
}

func main() {
	db := open()
	byName := must(db.Prepare("select city_id from city where city = ? order by city_id limit 1"))
	byID := must(db.Prepare(columns + "where city_id = ?"))
	list := must(db.Prepare(columns + "order by city_id limit ?"))

	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("city")
		var id int
		err := byName.QueryRow(name).Scan(&id)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		switch err {
		case nil:
			fmt.Fprintf(w, "City \"%s\" is #%d", name, id)
		case sql.ErrNoRows:
			w.WriteHeader(404)
			fmt.Fprintf(w, "City \"%s\" not found", name)
		default:
			http.Error(w, "", 500)
		}
	})
	http.HandleFunc("/cities/", func(w http.ResponseWriter, r *http.Request) {
		id, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/cities/"))
		found, err := scan(byID.QueryRow(id))
		sendJSON(w, found, err)
	})
	http.HandleFunc("/cities", func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		found, err := readPage(list, limit)
		sendJSON(w, found, err)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

func readPage(list *sql.Stmt, limit int) (page, error) {
	rows, err := list.Query(limit + 1)
	if err != nil {
		return page{}, err
	}
	defer rows.Close()
	found := page{Items: make([]city, 0, limit+1)}
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return page{}, err
		}
		found.Items = append(found.Items, row)
	}
	if len(found.Items) > limit {
		found.Items = found.Items[:limit]
		next := strconv.Itoa(found.Items[limit-1].CityID)
		found.Next = &next
	}
	return found, rows.Err()
}
